"""The OpenAPI document: every answer that a path can give, with its schema, and nothing hidden behind `default`."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from keyhouse.gate import guard
from keyhouse.http.schemas import ErrorEnvelope

_REF = "#/components/schemas/{model}"
_DESCRIPTIONS = {
    400: "The request is malformed or a field is wrong",
    401: "No credentials, or none that live",
    403: "The credential may not do this",
    404: "It does not exist, or is not yours",
    409: "The state of the resource does not allow it",
    413: "The body is too large",
    415: "The body has another media type or an encoding",
    429: "Too many tries",
    503: "Temporarily unavailable",
}
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "integer"}}},
    503: {"Retry-After": {"schema": {"type": "integer"}}},
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: the error answers that can't be told from its shape."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "model": ErrorEnvelope,
            "headers": _HEADERS.get(status, {}),
        }
        for status in statuses
    }


def install(app: FastAPI, applies: Callable[[str], bool]) -> None:
    """Makes the application's document tell of the envelope: on every path to which it `applies`, and elsewhere
    wherever the guard stands.
    """

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                servers=app.servers,
            )
            _complete(made, applies)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's documented way to extend the document


def _complete(document: dict[str, Any], applies: Callable[[str], bool]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _rename(document, applies)
    stays = False
    for path, method, operation in _operations(document):
        answers = operation["responses"]
        implied = [*_implied_by_guard(path, operation)]
        if applies(path):
            answers.pop("422", None)
            implied += _implied_by_shape(path, method, operation)
        stays = stays or "422" in answers
        for status in implied:
            answers.setdefault(str(status), _answer(status))
    if not stays:
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
    own = ErrorEnvelope.model_json_schema(ref_template=_REF)
    schemas.update(own.pop("$defs"))
    schemas["ErrorEnvelope"] = own


def _rename(document: dict[str, Any], applies: Callable[[str], bool]) -> None:
    """An operation is named as its function is, without path and method, where that names no other: generated clients
    call their functions so.
    """
    names = {}
    for path, method, operation in _operations(document):
        name = operation["operationId"]
        suffix = re.sub(r"\W", "_", path) + f"_{method}"
        names[path, method] = name.removesuffix(suffix) if applies(path) else name
    bearers = Counter(names.values())
    for path, method, operation in _operations(document):
        if bearers[names[path, method]] == 1:
            operation["operationId"] = names[path, method]


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            yield path, method, operation


def _implied_by_guard(path: str, operation: dict[str, Any]) -> Iterator[int]:
    if any(guard.scheme_name in scheme for scheme in operation.get("security", ())):
        yield from (401, 403, 503)
        if "{company_id}" in path:
            yield 404


def _implied_by_shape(path: str, method: str, operation: dict[str, Any]) -> Iterator[int]:
    """What the conventions of every path under `/api/` answer; a body that is not wanted is looked at all the same."""
    if method != "get":
        yield from (400, 413, 415)
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
        yield 400
    if "{" in path:
        yield 404


def _answer(status: int) -> dict[str, Any]:
    return {
        "description": _DESCRIPTIONS[status],
        "headers": _HEADERS.get(status, {}),
        "content": {"application/json": {"schema": {"$ref": _REF.format(model="ErrorEnvelope")}}},
    }
