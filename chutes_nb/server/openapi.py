"""``GET openapi.json``, made of the routes and the models that they name."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from . import shapes
from .base import ChutesHandler
from .route import Answer, Operation, Route
from .routes import JSON, ROUTES

REF = "#/components/schemas/{model}"
EVERYWHERE = {
    403: "No credentials, no leave, or no XSRF token.",
    500: "A fault of the server; its log has more.",
    503: "The store cannot be used now.",
}


class OpenApi(ChutesHandler):
    """``GET openapi.json``."""

    async def get(self) -> None:
        """Describe every route."""
        self.answer(described(self.base_url))


@lru_cache(maxsize=4)
def described(base_url: str) -> str:
    """Write the description of the API as JSON."""
    models = sorted(_models(), key=lambda model: model.__name__)
    _, shared = models_json_schema(
        [(model, "serialization") for model in models], ref_template=REF
    )
    paths: dict[str, Any] = {}
    for route in ROUTES:
        found = route.operations.items()
        paths[f"/{route.path}"] = {name: _operation(route, one) for name, one in found}
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "chutes_nb",
                "version": version("chutes-nb"),
                "description": "Background jobs of notebooks. All job routes stand "
                "also below the chute's own path, USERNAME-CHUTE/. What answers GET "
                "answers HEAD.",
            },
            "servers": [{"url": f"{base_url}chutes"}],
            "security": [{"token": []}],
            "paths": paths,
            "components": {
                "schemas": shared["$defs"],
                "securitySchemes": {
                    "token": {
                        "type": "apiKey",
                        "in": "header",
                        "name": "Authorization",
                        "description": "'token TOKEN', Jupyter's own.",
                    }
                },
            },
        }
    )


def _models() -> set[type[BaseModel]]:
    found: set[type[BaseModel]] = {shapes.Problem}
    for route in ROUTES:
        for one in route.operations.values():
            found |= {a.shape for a in one.answers.values() if a.shape is not None}
            found |= {one.body} if one.body is not None else set()
    return found


def _operation(route: Route, one: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {
        "summary": one.summary,
        "parameters": [*_path(route), *_query(one), *_headers(one)],
        "responses": {str(code): _answer(a) for code, a in one.answers.items()},
    }
    problem = {JSON: {"schema": {"$ref": REF.format(model="Problem")}}}
    for code in sorted({*one.errors, *EVERYWHERE}):
        text = EVERYWHERE.get(code, "Refused; the body says why.")
        said["responses"][str(code)] = {"description": text, "content": problem}
    bodies = {kind: {"schema": schema} for kind, schema in one.bodies.items()}
    if one.body is not None:
        bodies[JSON] = {"schema": {"$ref": REF.format(model=one.body.__name__)}}
    if bodies:
        said["requestBody"] = {"content": bodies}
    return said


def _answer(answer: Answer) -> dict[str, Any]:
    said: dict[str, Any] = {"description": answer.text}
    content: dict[str, Any] = {}
    if answer.shape is not None:
        ref = {"$ref": REF.format(model=answer.shape.__name__)}
        content[JSON] = {"schema": ref}
    if answer.media is not None:
        content[answer.media] = {"schema": {}}
    return said | ({"content": content} if content else {})


def _path(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query(one: Operation) -> list[dict[str, Any]]:
    schema = one.query.model_json_schema()
    shared = schema.get("$defs", {})
    wanted = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in wanted,
            "schema": _inlined(said, shared),
        }
        for name, said in schema.get("properties", {}).items()
    ]


def _inlined(said: Any, shared: dict[str, Any]) -> Any:
    if isinstance(said, list):
        return [_inlined(one, shared) for one in said]
    if not isinstance(said, dict):
        return said
    if "$ref" in said:
        return shared[said["$ref"].rpartition("/")[2]]
    return {name: _inlined(one, shared) for name, one in said.items()}


def _headers(one: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "header",
            "required": required,
            "description": text,
            "schema": {"type": "string"},
        }
        for name, (text, required) in one.headers.items()
    ]
