"""What a user's function asks for: its parameters, and what it is given by us."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import CellType, FunctionType
from typing import Any

from .errors import DefinitionError
from .files_in import UploadKind, upload_kind

OUTPUT_DIR = "output_dir"
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Parameter:
    """One parameter that a payload may fill.

    Attributes
    ----------
    name : str
    annotation : a type or typing form
        ``Any`` where there is none, or where it cannot be resolved.
    is_required : bool
    default : object
        ``inspect.Parameter.empty`` where there is none.
    """

    name: str
    annotation: Any
    is_required: bool
    default: Any = inspect.Parameter.empty


@dataclass(frozen=True, eq=False)  # each its own key in a cache
class Signature:
    """The shape of a function that is to become a job.

    Attributes
    ----------
    name : str
        The function's name.
    parameters : tuple of Parameter
        Without ``self``, ``output_dir``, ``*args`` and ``**kwargs``.
    takes_self, is_async, wants_output_dir, takes_any_name : bool
        ``takes_any_name`` where the function has ``**kwargs``.
    rest : Parameter or None
        ``**kwargs`` itself, where its values are to be of one kind.
    upload_parameters : mapping of parameter name to upload kind
    """

    name: str
    parameters: tuple[Parameter, ...]
    takes_self: bool = False
    is_async: bool = False
    wants_output_dir: bool = False
    takes_any_name: bool = False
    rest: Parameter | None = None
    upload_parameters: Mapping[str, UploadKind] = field(default_factory=dict)

    @property
    def defaults(self) -> dict[str, Any]:
        """What each parameter is where it is not given; without those that must be."""
        return {
            one.name: one.default.default if _is_field(one.default) else one.default
            for one in self.parameters
            if not one.is_required
        }


def inspect_function(function: Any, *, upload: bool = False) -> Signature:
    """Read what a function asks for, and refuse what cannot be a job.

    Parameters
    ----------
    function : function
        Made by ``def`` or ``async def``, perhaps wrapped by decorators.
    upload : bool
        Whether the job takes files.

    Raises
    ------
    DefinitionError
        For a generator, for something that is no function, and for ``upload``
        where no parameter can take a file.
    """
    name = getattr(function, "__name__", type(function).__name__)
    _refuse_what_is_no_job(function, name)
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise DefinitionError(
            f"the signature of {name} cannot be read: {error}"
        ) from error
    takes_self = bool(found) and found[0].name == "self"
    found = found[1:] if takes_self else found
    types = _annotations(function)
    parameters = tuple(
        _parameter(one, types.get(one.name, Any))
        for one in found
        if one.name != OUTPUT_DIR
        and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    )
    uploads = {p.name: kind for p in parameters if (kind := upload_kind(p.annotation))}
    if upload and not uploads:
        raise DefinitionError(
            f"{name} has upload=True, but none of its parameters is annotated bytes, "
            "pathlib.Path, UploadedFile or a list of one of them; annotate the one "
            f"that takes the file: def {name}(self, file: bytes)"
        )
    return Signature(
        name=name,
        parameters=parameters,
        takes_self=takes_self,
        is_async=inspect.iscoroutinefunction(function),
        wants_output_dir=any(
            p.name == OUTPUT_DIR and p.kind in _BY_NAME for p in found
        ),
        takes_any_name=any(p.kind is p.VAR_KEYWORD for p in found),
        rest=_rest(found, types),
        upload_parameters=uploads if upload else {},
    )


def _refuse_what_is_no_job(function: Any, name: str) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(
            f"{name} is a generator (it has a yield), and a job has one result; return "
            "the result, and give partial ones with self.emit(...)"
        )
    if not isinstance(function, FunctionType):
        raise DefinitionError(
            f"a job is made of a function, and {_said(function, name)}; put the "
            "decorator on top of a def or async def, with options by name: "
            "@chute.job(timeout=60)"
        )


def _said(thing: object, name: str) -> str:
    kind = type(thing).__name__
    is_named = name != kind
    return f"{name} is of type {kind}" if is_named else f"{thing!r:.60} is none"


def _parameter(one: inspect.Parameter, annotation: Any) -> Parameter:
    if not _is_field(one.default):
        return Parameter(one.name, annotation, one.default is one.empty, one.default)
    # def f(n: int = Field(3, ge=0)): pydantic's own way to say default and bounds.
    field_info = one.default
    return Parameter(
        one.name,
        typing.Annotated[annotation, field_info],
        field_info.is_required(),
        field_info,
    )


def _is_field(default: object) -> bool:
    """Whether it is pydantic's ``Field()``; does not import pydantic for it."""
    return type(default).__name__ == "FieldInfo"


def _rest(found: list[inspect.Parameter], types: Mapping[str, Any]) -> Parameter | None:
    for one in found:
        wanted = types.get(one.name, Any)
        # An Unpack[TypedDict] says of each name what it is to be.
        is_of_names = typing.get_origin(wanted) is typing.Unpack
        if one.kind is one.VAR_KEYWORD and wanted is not Any and not is_of_names:
            return Parameter(one.name, wanted, is_required=False)
    return None


def _annotations(function: FunctionType) -> dict[str, Any]:
    """Resolve the annotations, each that can be; the rest are Any."""
    inner: Any = inspect.unwrap(function)
    raw = dict(getattr(inner, "__annotations__", {}))
    raw.pop("return", None)
    if not any(isinstance(one, str) for one in raw.values()):
        return raw
    names = {**getattr(inner, "__globals__", {}), **_closed_over(inner)}
    resolved = {}
    for name, one in raw.items():
        carrier = type("Carrier", (), {"__annotations__": {name: one}})
        try:
            hints = typing.get_type_hints(carrier, names, names, include_extras=True)
        except Exception:  # a name that is not there (yet): taken as it comes
            hints = {name: Any}
        resolved[name] = hints[name]
    return resolved


def _closed_over(function: Any) -> dict[str, Any]:
    found = {}
    code = getattr(function, "__code__", None)
    cells: tuple[CellType, ...] = getattr(function, "__closure__", None) or ()
    for name, cell in zip(getattr(code, "co_freevars", ()), cells, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found
