"""A payload against the JSON schema of a definition, in pydantic's words.

The schema is all the server has: the function and its types are a pickle, which it
never reads. The worker checks again, by pydantic itself.
"""

from __future__ import annotations

import copy
import difflib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import pydantic
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError

from .errors import ValidationFailed

MOST_FAULTS = 50
MOST_REPAIRS = 200
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})
_MISSING = object()

_TYPES = {
    "integer": ("int", "Input should be a valid integer"),
    "number": ("float", "Input should be a valid number"),
    "boolean": ("bool", "Input should be a valid boolean"),
    "string": ("string", "Input should be a valid string"),
    "array": ("list", "Input should be a valid list"),
    "object": ("dict", "Input should be a valid dictionary"),
}
_PARSING = {
    "integer": ", unable to parse string as an integer",
    "number": ", unable to parse string as a number",
    "boolean": ", unable to interpret input",
}
_BOUNDS = {
    "minimum": ("greater_than_equal", "greater than or equal to"),
    "exclusiveMinimum": ("greater_than", "greater than"),
    "maximum": ("less_than_equal", "less than or equal to"),
    "exclusiveMaximum": ("less_than", "less than"),
    "multipleOf": ("multiple_of", "a multiple of"),
}

# What JSON has no type for, and a schema says by a format of text.
_FORMATS = {
    "date": date,
    "date-time": datetime,
    "time": time,
    "duration": timedelta,
    "uuid": uuid.UUID,
}


def bind(schema: dict[str, Any], payload: Any) -> dict[str, Any]:
    """Give the keyword arguments that a payload stands for.

    The rules are those of ``binding.Binder``.

    Raises
    ------
    ValidationFailed
    """
    names = schema.get("properties", {})
    required: list[str] = list(schema.get("required", ()))
    takes_any = bool(schema.get("additionalProperties"))
    if payload is None and not required:
        return {}
    is_dict = isinstance(payload, dict)
    if is_dict:
        fits = "self" not in payload if takes_any else payload.keys() <= names.keys()
        if fits and payload.keys() >= set(required):
            return dict(payload)
    whole = None
    if not is_dict or not payload.keys() & names.keys():
        candidates = required or list(names)
        whole = candidates[0] if len(candidates) == 1 else None
        if whole is not None and not _lacks(payload, names[whole]):
            return {whole: payload}
    details = _misfit(payload, names, required, takes_any)
    if payload and whole is not None:
        details.append(_misfit_as_a_whole(whole, names[whole]))
    name = schema.get("title", "the job")
    told = _told(f"{name} cannot take this payload", details)
    raise ValidationFailed(told, details)


def _lacks(payload: Any, said: dict[str, Any]) -> bool:
    """Whether an object cannot be what is wanted: it named arguments, and wrongly."""
    if payload == {}:
        return said.get("type") not in (None, "object")
    is_one_value = said.get("type") in ("integer", "number", "boolean", "string")
    return isinstance(payload, dict) and is_one_value and not _is_file(said)


def _is_file(said: dict[str, Any]) -> bool:
    return said.get("format") == "binary"


def _misfit_as_a_whole(name: str, said: dict[str, Any]) -> dict[str, Any]:
    kind, text = _TYPES[said["type"]]
    return _fault([], f"as a whole it does not fit {name}: {text}", f"{kind}_type")


def _misfit(
    payload: Any, names: Iterable[str], required: list[str], takes_any: bool
) -> list[dict[str, Any]]:
    if not isinstance(payload, dict):
        said = "Input should be a valid dictionary of the arguments"
        return [_fault([], said, "dict_type")]
    details = [
        _fault([name], "Field required", "missing")
        for name in required
        if name not in payload
    ]
    for name in payload:
        if name not in names and (not takes_any or name == "self"):
            near = difflib.get_close_matches(name[:80], names, 1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            said = f"Extra inputs are not permitted{meant}"
            details.append(_fault([name[:200]], said, "extra_forbidden"))
    return details


def check(schema: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Check arguments; gives them with texts made numbers where pydantic would.

    Raises
    ------
    ValidationFailed
        With all that is wrong, ``loc`` as pydantic has it.
    """
    try:
        validator = _validator(json.dumps(schema))
        for _ in range(MOST_REPAIRS):
            errors = list(validator.iter_errors(arguments))
            if not errors:
                return arguments
            repaired = copy.deepcopy(arguments)
            if not sum(_repair(repaired, error) for error in errors):
                break
            arguments = repaired
    except Exception as error:
        if isinstance(error, RecursionError | SchemaError):
            return arguments  # the worker says what such a schema means
        raise
    details = [fault for error in errors for fault in _faults(error)]
    details.sort(key=lambda one: [str(step) for step in one["loc"]])
    raise _failed(schema.get("title", "the job"), details[:MOST_FAULTS])


@lru_cache(maxsize=128)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema), format_checker=_formats())


@lru_cache(maxsize=1)
def _formats() -> FormatChecker:
    """Texts that stand for something else, checked as the worker will."""
    checker = FormatChecker(formats=())
    for name, kind in _FORMATS.items():
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(kind)
        checker.checks(name, raises=pydantic.ValidationError)(_reader(adapter))
    return checker


def _reader(adapter: pydantic.TypeAdapter[Any]) -> Callable[[object], bool]:
    def reads(value: object) -> bool:
        if isinstance(value, str):
            adapter.validate_python(value)
        return True

    return reads


# -- coercion ------------------------------------------------------------------
def _repair(arguments: Any, error: ValidationError) -> bool:
    """Put other values where pydantic would take those there for them."""
    changes = _changes(error)
    for (*steps, last), value in changes:
        place = arguments
        for step in steps:
            place = place[step]
        place[last] = value
    return bool(changes)


def _changes(error: ValidationError) -> list[tuple[list[Any], Any]]:
    """Give the path and the value of each change that an error calls for."""
    for wanted in _wanted_types(error):
        value = coerced(error.instance, wanted)
        if value is not _MISSING:
            return [(list(error.absolute_path), value)]
    if error.validator not in ("anyOf", "oneOf") or not error.context:
        return []
    for errors in _branches(error.context):
        found = [_changes(inner) for inner in errors]
        if all(found):  # this reading has nothing else against it
            return [change for changes in found for change in changes]
    # It will be refused: what is said of it is then said of what is really wrong.
    return [change for inner in _meant(error) for change in _changes(inner)]


def _wanted_types(error: ValidationError) -> Iterator[str]:
    if not error.absolute_path:
        return
    if error.validator == "type":
        wanted = error.validator_value
        yield from [wanted] if isinstance(wanted, str) else wanted
    elif error.validator in ("anyOf", "oneOf", "allOf"):
        for inner in error.context or ():
            if inner.instance is error.instance and inner.validator == "type":
                yield inner.validator_value


def coerced(value: Any, wanted: str) -> Any:
    """Give what pydantic makes of a value where a type is wanted, or ``_MISSING``."""
    text = value.strip() if isinstance(value, str) else None
    try:
        if wanted == "integer":
            if text is not None and len(text) < 4000:
                number = float(text) if "." in text else int(text)
                return int(number) if number == int(number) else _MISSING
            if isinstance(value, bool):
                return int(value)
        elif wanted == "number":
            if text is not None:
                number = float(text)
                return number if number - number == 0 else _MISSING
            if isinstance(value, bool):
                return float(value)
        elif wanted == "boolean":
            said = str(value if text is None else text).lower()
            if text is not None or (type(value) in (int, float) and value in (0, 1)):
                said = said.removesuffix(".0")
                return said in _TRUE if said in _TRUE | _FALSE else _MISSING
    except (ValueError, OverflowError):
        pass
    return _MISSING


# -- wording -------------------------------------------------------------------
def _faults(error: ValidationError) -> Iterator[dict[str, Any]]:
    """Say an error of the schema as pydantic would."""
    kind, value = str(error.validator), error.validator_value
    loc = list(error.absolute_path)
    if kind in ("anyOf", "oneOf") and error.context:
        wrong = _wrong_tag(error)
        if wrong is not None:
            yield _fault(loc, *wrong)
            return
        for inner in _meant(error):
            yield from _faults(inner)
    elif kind == "type":
        wanted = value if isinstance(value, str) else value[0]
        yield _wrong_type(loc, error, wanted)
    elif kind == "required":
        for name in value:
            if name not in error.instance:
                fault = _fault([*loc, name], "Field required", "missing")
                # jsonschema has an error for each name that is not there.
                if f"'{name}' is a required" in error.message:
                    yield fault
    elif kind == "additionalProperties":
        known = error.schema.get("properties", {})
        for name in error.instance.keys() - known.keys():
            said = "Extra inputs are not permitted"
            yield _fault([*loc, name], said, "extra_forbidden")
    elif kind in _BOUNDS:
        name, said = _BOUNDS[kind]
        yield _fault(loc, f"Input should be {said} {value}", name)
    else:
        yield _fault(loc, *_other(error, kind, value))


def _other(error: ValidationError, kind: str, value: Any) -> tuple[str, str]:
    if kind in ("enum", "const"):
        choices = [repr(one) for one in (value if kind == "enum" else [value])]
        shown = (
            f"{', '.join(choices[:-1])} or {choices[-1]}" if choices[1:] else choices[0]
        )
        is_class = "$ref" in error.absolute_schema_path
        return f"Input should be {shown}", "enum" if is_class else "literal_error"
    if kind in ("minLength", "maxLength"):
        most, which = ("least", "short") if kind == "minLength" else ("most", "long")
        plural = "" if value == 1 else "s"
        said = f"String should have at {most} {value} character{plural}"
        return said, f"string_too_{which}"
    if kind in ("minItems", "maxItems"):
        most, which = ("least", "short") if kind == "minItems" else ("most", "long")
        plural = "" if value == 1 else "s"
        has = len(error.instance)
        said = f"List should have at {most} {value} item{plural} after validation"
        return f"{said}, not {has}", f"too_{which}"
    if kind == "pattern":
        return f"String should match pattern '{value}'", "string_pattern_mismatch"
    if kind == "format" and isinstance(error.cause, pydantic.ValidationError):
        fault = error.cause.errors(include_url=False)[0]
        return fault["msg"], fault["type"]
    return error.message[:500], kind


def _wrong_type(loc: list[Any], error: ValidationError, wanted: str) -> dict[str, Any]:
    if wanted == "null":
        return _fault(loc, "Input should be None", "none_required")
    name, said = _TYPES[wanted]
    if wanted in _PARSING and isinstance(error.instance, str):
        return _fault(loc, said + _PARSING[wanted], f"{name}_parsing")
    if wanted == "integer" and isinstance(error.instance, float):
        said += ", got a number with a fractional part"
        return _fault(loc, said, "int_from_float")
    if wanted == "object" and "properties" in error.schema:
        title = error.schema.get("title", "the model")
        return _fault(loc, f"{said} or instance of {title}", "model_type")
    return _fault(loc, said, f"{name}_type")


def _wrong_tag(error: ValidationError) -> tuple[str, str] | None:
    """Say what is wrong with the tag of an object that may be one of several."""
    said = error.schema.get("discriminator")
    if said is None or not isinstance(error.instance, dict):
        return None
    name, known = said["propertyName"], said.get("mapping", {})
    if name not in error.instance:
        text = f"Unable to extract tag using discriminator '{name}'"
        return text, "union_tag_not_found"
    tag = str(error.instance[name])
    if tag in known:
        return None
    tags = ", ".join(f"'{one}'" for one in known)
    return (
        f"Input tag '{tag[:80]}' found using '{name}' does not match any of the "
        f"expected tags: {tags}",
        "union_tag_invalid",
    )


def _meant(error: ValidationError) -> list[ValidationError]:
    """Give the errors of the reading that a tag names, or that came furthest."""
    context = error.context or []
    said = error.schema.get("discriminator", {})
    if said and isinstance(error.instance, dict):
        tag = str(error.instance.get(said["propertyName"]))
        named = said.get("mapping", {}).get(tag)
        readings = [one.get("$ref") for one in error.validator_value]
        found = [
            one for one in context if readings[one.relative_schema_path[0]] == named
        ]
        if found:
            return found
    return _nearest(context)


def _branches(context: Iterable[ValidationError]) -> list[list[ValidationError]]:
    """Sort what is wrong by the reading that it is wrong in."""
    branches: dict[Any, list[ValidationError]] = {}
    for inner in context:
        branches.setdefault(inner.relative_schema_path[0], []).append(inner)
    return list(branches.values())


def _nearest(context: list[ValidationError]) -> list[ValidationError]:
    """Give the errors of the reading that came furthest; None is never meant."""
    branches = _branches(context)
    found = [
        errors
        for errors in branches
        if not (errors[0].validator == "type" and errors[0].validator_value == "null")
    ]
    found = found or branches
    return max(found, key=lambda errors: max(len(e.absolute_path) for e in errors))


def _fault(loc: list[Any], said: str, kind: str) -> dict[str, Any]:
    return {"loc": loc, "msg": said, "type": kind}


def _failed(name: str, details: list[dict[str, Any]]) -> ValidationFailed:
    return ValidationFailed(_told(f"{name} cannot take these values", details), details)


def _told(said: str, details: list[dict[str, Any]]) -> str:
    lines = [
        f"{'.'.join(map(str, one['loc'])) or 'the payload'}: {one['msg']}"
        for one in details[:10]
    ]
    more = f"\n  and {len(details) - 10} more" if len(details) > 10 else ""
    return f"{said}:\n  " + "\n  ".join(lines) + more
