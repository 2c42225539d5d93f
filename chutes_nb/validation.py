"""Checks of a job's arguments by pydantic, and their JSON schema."""

from __future__ import annotations

import contextlib
import reprlib
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import cached_property
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema, to_jsonable_python

from .codec import type_name
from .errors import ValidationFailed
from .signatures import OUTPUT_DIR, Parameter, Signature
from .typed_dicts import checkable

_LOOSE = ConfigDict(arbitrary_types_allowed=True)
# A value of exactly such a type passes as it is: the same object, in no time.
_PLAIN = frozenset({str, int, float, bool, bytes, dict, list, tuple, set, frozenset})
_CONTAINERS = (dict, list, tuple, set, frozenset)
_FILE = {"type": "string", "format": "binary"}
_SHORT = reprlib.Repr()
_SHORT.maxstring = MOST_MET = 80
_SHORT.maxother = MOST_MET + 1


class Validator:
    """The checks of one signature, each built when it is first needed."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.by_name = {one.name: one for one in signature.parameters}
        self._adapters: dict[str, TypeAdapter[Any] | None] = {}

    def validated(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Check and convert keyword arguments; give all errors at once.

        Raises
        ------
        ValidationFailed
            If any value does not fit its parameter's annotation.
        """
        passed: dict[str, Any] = {}
        details: list[dict[str, object]] = []
        lines: list[str] = []
        for name, value in values.items():
            parameter = self._parameter(name)
            if parameter is not None and self._wants_a_file(parameter, value):
                said = "Input should be a file: a path, bytes or an open file"
                details.append({"loc": [name], "msg": said, "type": "file"})
                lines.append(f"{name}: {said}; got {value!r}")
                continue
            if parameter is None or self.passes_as_it_is(parameter, value):
                passed[name] = value
                continue
            try:
                passed[name] = self._checked(parameter, value)
            except ValidationError as error:
                details += _details(name, error)
                lines += _lines(name, error)
        if details:
            raise ValidationFailed(_message(self.signature.name, lines), details)
        return passed | self.field_defaults(passed)

    def _parameter(self, name: str) -> Parameter | None:
        """Give the parameter that takes a name; None for what is not checked."""
        found = self.by_name.get(name)
        return self.signature.rest if found is None and name != OUTPUT_DIR else found

    def _checked(self, parameter: Parameter, value: Any) -> Any:
        adapter = self.adapter(parameter)
        if adapter is None:
            return value
        try:
            return _gone_through(adapter.validate_python(value), value, parameter)
        except ValidationError:
            if not _is_older_self(value, parameter.annotation):
                raise
            return adapter.validate_python(value.model_dump())

    def _wants_a_file(self, parameter: Parameter, value: Any) -> bool:
        """Whether a file is wanted where none is given."""
        if value is not None or parameter.name not in self.signature.upload_parameters:
            return False
        return parameter.default is not None and NoneType not in get_args(
            parameter.annotation
        )

    def passes_as_it_is(self, parameter: Parameter, value: Any) -> bool:
        """Tell whether a value needs no look by pydantic."""
        wanted = parameter.annotation
        if wanted is Any or wanted is object:
            return True
        if parameter.name in self.signature.upload_parameters:
            return True
        if wanted in _CONTAINERS:
            return isinstance(value, wanted)
        return type(value) is wanted and wanted in _PLAIN

    def field_defaults(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Give the defaults that a call would not: those in a pydantic ``Field``."""
        return {
            one.name: one.default.get_default(call_default_factory=True)
            for one in self._with_field
            if one.name not in given and not one.is_required
        }

    @cached_property
    def _with_field(self) -> list[Parameter]:
        return [
            p for p in self.signature.parameters if isinstance(p.default, FieldInfo)
        ]

    def adapter(self, parameter: Parameter) -> TypeAdapter[Any] | None:
        """Build pydantic's check of one parameter; None where it knows none."""
        if parameter.name not in self._adapters:
            self._adapters[parameter.name] = _adapter(parameter.annotation)
        return self._adapters[parameter.name]

    @cached_property
    def schema_once(self) -> dict[str, Any]:
        """The schema, made once; not to be changed."""
        return self.schema()

    def schema(self) -> dict[str, Any]:
        """Describe the parameters as one JSON schema object, titled as the function."""
        described, definitions = self._described()
        rest = self.signature.rest
        others = None if rest is None else described.get(rest.name)
        properties: dict[str, Any] = {}
        for one in self.signature.parameters:
            kind = self.signature.upload_parameters.get(one.name)
            said = described.get(one.name, {})
            if kind is not None:
                is_many = kind.endswith("[]")
                said = {"type": "array", "items": _FILE} if is_many else _FILE
            title = one.name.replace("_", " ").strip().title()
            properties[one.name] = {"title": title} | said | _default(one)
        schema: dict[str, Any] = {
            "title": self.signature.name,
            "type": "object",
            "properties": properties,
            "additionalProperties": others or self.signature.takes_any_name,
        }
        required = [one.name for one in self.signature.parameters if one.is_required]
        if required:
            schema["required"] = required
        if definitions:
            schema["$defs"] = definitions
        return schema

    def _described(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give the schema of each parameter, and the models they share."""
        known = {
            one.name: adapter
            for one in (*self.signature.parameters, self.signature.rest)
            if one is not None
            and one.name not in self.signature.upload_parameters
            and (adapter := self.adapter(one)) is not None
        }
        try:
            return _schemas(known)
        except Exception:  # a user's own __get_pydantic_json_schema__ may raise
            described: dict[str, Any] = {}
            for name, adapter in known.items():
                with contextlib.suppress(Exception):
                    described[name] = adapter.json_schema()
            return described, {}


class _LenientSchema(GenerateJsonSchema):
    """Says nothing about what JSON schema cannot describe, instead of failing."""

    ignored_warning_kinds = frozenset({"skipped-choice", "non-serializable-default"})  # type: ignore[assignment]

    def handle_invalid_for_json_schema(
        self, schema: core_schema.CoreSchema, error_info: str
    ) -> JsonSchemaValue:
        return {}


def _gone_through(found: Any, given: object, parameter: Parameter) -> Any:
    """Check the items of an ``Iterable[T]`` now: pydantic does it at the first look.

    What it gives for that cannot travel, and a bad item would be found by the job.
    """
    if found is given or not isinstance(found, Iterator):
        return found
    items = list(found)
    return iter(items) if get_origin(parameter.annotation) is Generator else items


def _is_older_self(value: Any, annotation: Any) -> bool:
    # The cell of a model was run again, and the variable is of the class before.
    return (
        isinstance(value, BaseModel)
        and isinstance(annotation, type)
        and not isinstance(value, annotation)
        and type(value).__qualname__ == annotation.__qualname__
        and type(value).__module__ == annotation.__module__
    )


def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    # A model of the user's with a field named model_... is no news to its author.
    builders: list[Callable[[], TypeAdapter[Any]]] = [
        lambda: TypeAdapter(checkable(annotation)),
        lambda: TypeAdapter(checkable(annotation), config=_LOOSE),
    ]
    for build in builders:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                adapter = build()
                adapter.rebuild(raise_errors=True)
        except PydanticUserError:
            continue
        except Exception:  # an annotation that is no type: text, a number, ...
            return None
        return adapter
    return None


def _schemas(
    adapters: Mapping[str, TypeAdapter[Any]],
) -> tuple[dict[str, Any], dict[str, Any]]:
    found, shared = TypeAdapter.json_schemas(
        [(name, "validation", adapter) for name, adapter in adapters.items()],
        schema_generator=_LenientSchema,
    )
    return {name: one for (name, _), one in found.items()}, shared.get("$defs", {})


def _default(one: Parameter) -> dict[str, Any]:
    if one.is_required:
        return {}
    default = one.default
    if isinstance(default, FieldInfo):
        default = default.get_default()
    try:
        return {"default": to_jsonable_python(default, inf_nan_mode="null")}
    except Exception:  # a default that JSON cannot say is the function's own affair
        return {}


def _details(name: str, error: ValidationError) -> list[dict[str, object]]:
    return [
        {"loc": [name, *one["loc"]], "msg": one["msg"], "type": one["type"]}
        for one in error.errors(
            include_url=False, include_context=False, include_input=False
        )
    ]


def _lines(name: str, error: ValidationError) -> list[str]:
    """Say of each error where it is, what was wanted, and what was met.

    ``details`` leave that out: who reads them, a form or a client, has the value.
    """
    # A model with hide_input_in_errors wants it shown nowhere; only the text tells.
    shows = "input_value=" in str(error)
    found = []
    for one in error.errors(include_url=False, include_context=False):
        line = f"{_path([name, *one['loc']])}: {one['msg']}"
        if shows and one["type"] != "missing":  # there the input is what lacks it
            line += f"; got {_met(one['input'])}"
        found.append(line)
    return found


def _met(value: object) -> str:
    """Show a value in a few words, whatever its size: a frame by its type alone."""
    try:
        text = _SHORT.repr(value)
    except Exception:  # an integer that is too long for text
        return type_name(value)
    return type_name(value) if len(text) > MOST_MET or "\n" in text else text


def _message(name: str, lines: list[str]) -> str:
    more = [f"and {len(lines) - 10} more"] if len(lines) > 10 else []
    return f"{name} cannot take these values:\n  " + "\n  ".join(lines[:10] + more)


def _path(loc: list[int | str]) -> str:
    text = str(loc[0])
    for step in loc[1:]:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text
