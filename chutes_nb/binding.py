"""A payload onto a function's parameters: which value goes to which name."""

from __future__ import annotations

import difflib
import functools
import inspect
import reprlib
import typing
from collections.abc import Mapping
from typing import Any

from .errors import BindingError, ValidationFailed
from .signatures import OUTPUT_DIR, Parameter, Signature
from .validation import Validator
from .wording import kind_of

MOST_DEFAULT = 24  # characters of a default that a message shows
_PLAIN = (bool, int, float, str)


class Binder:
    """Binds payloads to one signature; its checks are built once."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.validator = Validator(signature)
        self.required = {one.name for one in signature.parameters if one.is_required}
        self.names = {one.name for one in signature.parameters}
        if signature.wants_output_dir:
            self.names.add(OUTPUT_DIR)

    def bind(self, payload: Any) -> dict[str, Any]:
        """Give the validated keyword arguments that a payload stands for.

        Parameters
        ----------
        payload : object
            A dict is read as keyword arguments; where no key is a parameter's name
            and one parameter is without a value, the whole dict goes to it, as any
            other value does.

        Raises
        ------
        BindingError
            If no reading fits; says which were tried.
        ValidationFailed
            If the values do not fit the annotations.
        """
        if payload is None and not self.required:
            return self.validator.validated({})
        if not isinstance(payload, dict):
            return self._bind_whole(payload)
        if self.required <= payload.keys() and self._fits(payload):
            return self.validator.validated(dict(payload))
        if any(name in self.names for name in payload):
            raise BindingError(self._as_keywords(payload))
        parameter = self._open_parameter()
        if parameter is None:
            if not payload:
                raise BindingError(self._as_keywords(payload))
            raise BindingError(
                f"{self._as_keywords(payload)}; and as a whole it fits only a function "
                f"with one open parameter, {self._count_of_open()}"
            )
        if parameter.name in self.signature.upload_parameters:
            raise BindingError(
                f"{self._as_keywords(payload)}; and as a whole it is no file for "
                f"{parameter.name}"
            )
        try:
            return self.validator.validated({parameter.name: payload})
        except ValidationFailed as error:
            if not payload:
                raise BindingError(self._as_keywords(payload)) from None
            if any(_is_inner(one) for one in error.details):
                raise
            said = error.details[0]["msg"]
            raise BindingError(
                f"{self._as_keywords(payload)}; and as a whole it does not fit "
                f"{parameter.name}: {said}"
            ) from error

    def _fits(self, payload: dict[Any, Any]) -> bool:
        if self.signature.takes_any_name:
            return all(type(name) is str and name != "self" for name in payload)
        return payload.keys() <= self.names

    def _bind_whole(self, payload: Any) -> dict[str, Any]:
        parameter = self._open_parameter()
        if parameter is None:
            raise BindingError(
                f"{self.signature.name} was given {kind_of(payload)}, which "
                "fits only a function with one open parameter, "
                f"{self._count_of_open()}; give its arguments by name: {self._call()}"
            )
        return self.validator.validated({parameter.name: payload})

    def _open_parameter(self) -> Parameter | None:
        parameters = self.signature.parameters
        required = [one for one in parameters if one.is_required]
        candidates = required or parameters
        return candidates[0] if len(candidates) == 1 else None

    def _count_of_open(self) -> str:
        names = [one.name for one in self.signature.parameters if one.is_required]
        if names:
            return f"and {len(names)} are open here: {', '.join(names)}"
        return "and none is required here"

    def _as_keywords(self, payload: dict[Any, Any]) -> str:
        missing = [
            one.name
            for one in self.signature.parameters
            if one.is_required and one.name not in payload
        ]
        unknown = [name for name in payload if name not in self.names]
        if self.signature.takes_any_name:
            unknown = [
                name for name in unknown if type(name) is not str or name == "self"
            ]
        if missing and not unknown:
            return f"{self.signature.name} needs {', '.join(missing)}: {self._call()}"
        parts = [f"the payload does not fit {self._call()}: as keyword arguments"]
        if unknown:
            shown = ", ".join(reprlib.repr(name) for name in unknown[:8])
            parts.append(
                f"it has unknown {_keys(unknown)} {shown}{self._meant(unknown)}"
            )
        if missing:
            parts.append(f"{'and ' if unknown else ''}it lacks {', '.join(missing)}")
        return " ".join(parts)

    def _meant(self, unknown: list[Any]) -> str:
        for name in unknown[:8]:
            near = difflib.get_close_matches(str(name)[:80], self.names, 1)
            if near:
                return f" (did you mean {near[0]!r}?)"
        return ""

    def _call(self) -> str:
        shown = [_shown(one) for one in self.signature.parameters]
        if self.signature.takes_any_name:
            shown.append("**kwargs")
        return f"{self.signature.name}({', '.join(shown)})"


@functools.lru_cache(maxsize=1024)
def binder(signature: Signature) -> Binder:
    """Give the one binder of a signature, so that its checks are built once."""
    return Binder(signature)


def bind(signature: Signature, payload: Any) -> dict[str, Any]:
    """Give the validated keyword arguments of a payload; see ``Binder.bind``."""
    return binder(signature).bind(payload)


def _is_inner(detail: Mapping[str, Any]) -> bool:
    """Whether a fault is a model's or a dict's own matter: the value is of its kind.

    A validator that its author wrote speaks of what pydantic let through to it.
    """
    return len(detail["loc"]) > 1 or detail["type"] in (
        "value_error",
        "assertion_error",
    )


def _keys(names: list[Any]) -> str:
    return "key" if len(names) == 1 else "keys"


def _shown(one: Parameter) -> str:
    if one.annotation is Any:
        kind = ""
    elif isinstance(one.annotation, type):
        kind = f": {one.annotation.__name__}"
    else:
        wanted = one.annotation
        if typing.get_origin(wanted) is typing.Annotated:  # a Field says too much
            wanted = wanted.__origin__
        text = inspect.formatannotation(wanted).replace("__main__.", "")
        kind = f": {text.replace('typing.', '')}"[:60]
    return f"{one.name}{kind}{'' if one.is_required else f' = {_default(one)}'}"


def _default(one: Parameter) -> str:
    """Write a default as its author has, where that is short and plain."""
    if one.default is not None and type(one.default) not in _PLAIN:
        return "..."
    text = repr(one.default)
    return text if len(text) <= MOST_DEFAULT else "..."
