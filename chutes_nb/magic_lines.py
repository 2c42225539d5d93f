"""The line behind a magic: split and parsed, what is wrong with it told."""

from __future__ import annotations

import argparse
import difflib
import shlex
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser, MagicHelpFormatter

UNKNOWN = "unrecognized arguments: "
HELP = ("-h", "--help")


class _Formatter(MagicHelpFormatter):
    def add_usage(
        self, usage: Any, actions: Any, groups: Any, prefix: str | None = "usage: "
    ) -> None:
        # IPython's own puts a percent sign more before the name, and two colons.
        super().add_usage(usage, actions, groups, prefix)  # type: ignore[no-untyped-call]


class LineParser(MagicArgumentParser):
    """Parses the line of one magic; errors name what was meant, perhaps.

    One that asks for help is told all options, as an error: nothing is run then.

    Parameters
    ----------
    magic : str
        Its name, with its percent signs.
    about : str
        What it does.
    """

    def __init__(self, magic: str, about: str = "") -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            prog=magic,
            description=about,
            add_help=False,
            formatter_class=_Formatter,
        )

    def parse_line(self, line: str) -> argparse.Namespace:
        """Parse a line.

        Raises
        ------
        UsageError
        """
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"{self.prog} {line}: {error}") from error
        return self.parse_args(words)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, with the option that is spelled most like it."""
        if message.startswith(UNKNOWN):
            message = self._said_of(message.removeprefix(UNKNOWN).split())
        raise UsageError(message)

    def _said_of(self, words: list[str]) -> str:
        option = next((one for one in words if one.startswith("-")), None)
        if option is None:
            return f"{self.prog} takes nothing more; {' '.join(words)} is left over"
        if option in HELP:
            return self.format_help()
        name = option.partition("=")[0]
        known = [one for one in self._option_string_actions if one.startswith("--")]
        near = difflib.get_close_matches(name, known, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        short = [one for one in self._option_string_actions if one not in known]
        if not (every := ", ".join([*short, *known])):
            return f"{self.prog} has no option {name}, nor any other"
        return f"{self.prog} has no option {name}; {meant}Known are {every}"
