"""Refuses to pack a wheel or an sdist without the built front end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = (
    "chutes_nb/static/panel.js",
    "chutes_nb/static/panel.css",
    "chutes_nb/labextension/package.json",
)


class FrontEndBuilt(BuildHookInterface):  # type: ignore[type-arg]
    """Check for the files that ``npm run build`` makes; editable installs pass."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Stop the build where a file is missing.

        Parameters
        ----------
        version : str
            "standard" or "editable".
        build_data : dict
            Not touched.

        Raises
        ------
        SystemExit
            If the panel or the JupyterLab extension was not built.
        """
        if version == "editable":
            return
        missing = [path for path in BUILT if not (Path(self.root) / path).is_file()]
        if missing:
            raise SystemExit(
                f"{', '.join(missing)} missing: run 'make build', which builds "
                "the front end in js/ first"
            )
