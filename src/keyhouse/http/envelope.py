"""The one maker of error answers: whatever is raised, by whomever, leaves as the documented envelope."""

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from inspect import isawaitable
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from keyhouse.errors import (
    CATALOGUE,
    Entry,
    Failure,
    failure,
    invalid,
    invalid_field,
    not_found,
    throttled,
    unavailable,
)
from keyhouse.http import validation
from keyhouse.http.paths import RouteTable

_REALM = 'Bearer realm="api"'
_CHALLENGES: Mapping[str, str] = {
    "not_authenticated": _REALM,
    "authentication_failed": _REALM,
    "invalid_token": f'{_REALM}, error="invalid_token", error_description="{CATALOGUE["invalid_token"].detail}"',
}
_CODE_OF_STATUS: Mapping[int, str] = {
    row.status: code for code, row in CATALOGUE.items() if code not in {"invalid_token", "authentication_failed"}
}
_CLIENT_ERRORS = range(400, 500)
_BAD_REQUEST = 400
# FastAPI's, when a body can't be read for another reason than its JSON.
_UNREADABLE = "There was an error parsing the body"
# 422 is never used: what a route finds wrong with a request is a 400.
_INVALID = frozenset({400, 422})


def body(failed: Failure) -> bytes:
    """The envelope of a failure, compact, in UTF-8."""
    if failed.status not in _CLIENT_ERRORS:
        kind = "server_error"
    elif failed.status == _BAD_REQUEST and failed.entries[0].code != "parse_error":
        kind = "validation_error"
    else:
        kind = "client_error"
    errors = [{"code": e.code, "detail": e.detail, "attr": e.attr, "extra": e.extra} for e in failed.entries]
    return json.dumps({"type": kind, "errors": errors}, ensure_ascii=False, separators=(",", ":")).encode()


def answer(failed: Failure) -> Response:
    """The answer to a failure, with the challenge that a 401 must have (RFC 9110 section 15.5.2)."""
    headers = dict(failed.headers)
    if challenge := _CHALLENGES.get(failed.entries[0].code):
        headers["WWW-Authenticate"] = challenge
    return Response(body(failed), failed.status, headers, "application/json")


def of_validation(error: RequestValidationError) -> Failure:
    """What Pydantic refused. A path that can't be an id leads to nothing: 404."""
    errors = error.errors()
    if any(item["loc"][0] == "path" for item in errors):
        return not_found("path")
    return invalid(validation.entries(errors))


def of_http_exception(error: HTTPException, method: str, allowed: set[str]) -> Failure:
    """What the framework or a route of the application raised; `allowed` are the methods of its path.

    A client is told what the author of a route wrote for it, of a server's failure nothing.
    """
    status, headers = error.status_code, dict(error.headers or {})
    code = _CODE_OF_STATUS.get(status, "error")
    # The framework's own texts are the names of the status.
    own = error.detail if isinstance(error.detail, str) and error.detail != _phrase(status) else None
    if status in _INVALID:
        failed = failure("parse_error") if own == _UNREADABLE else invalid_field(validation.ROOT, own)
    elif code == "method_not_allowed":
        failed = failure(code, detail=CATALOGUE[code].detail.format(method=method[:100]))
        headers["Allow"] = ", ".join(sorted(allowed)) or headers.get("Allow", "")
    elif code == "throttled":
        failed = throttled(_retry_after(headers), own)
    elif code == "service_unavailable":
        failed = unavailable("raised by a route", _retry_after(headers))
    elif status in _CLIENT_ERRORS:
        default = CATALOGUE[code].detail if code != "error" else _phrase(status) or "The request was refused."
        failed = Failure(status, (Entry(code, own or default),))
    else:
        failed = Failure(status, (Entry(code, CATALOGUE[code].detail),))
    failed.headers = {**headers, **failed.headers}
    return failed


def _retry_after(headers: dict[str, str]) -> int:
    """Takes the header out and answers its seconds: 1 for none, and for a date."""
    found = [headers.pop(name) for name in tuple(headers) if name.lower() == "retry-after"]
    return int(found[0]) if found and re.fullmatch("[1-9][0-9]{0,8}", found[0]) else 1


def of_unforeseen() -> Failure:
    """500: nothing about it leaves the house but the request id."""
    return failure("error", cause="unforeseen")


Handler = Callable[[Request, Any], Any]


def install(
    app: FastAPI,
    routes: RouteTable,
    note: Callable[[Request, Failure], None],
    applies: Callable[[str], bool],
) -> None:
    """Makes the application answer with the envelope: every `Failure`, and whatever else is raised on a path to which
    it `applies`; elsewhere the application's own handlers answer. `note` is told of each failure.
    """

    def of_http(request: Request, error: HTTPException) -> Failure:
        return of_http_exception(error, request.method, routes.methods(request.scope["path"]))

    def handler(convert: Callable[[Request, Any], Failure], own: Handler | None) -> Handler:
        async def handle(request: Request, error: Any) -> Any:
            # A route that redirects by an exception has not failed.
            redirects = getattr(error, "status_code", _BAD_REQUEST) < _BAD_REQUEST
            if own is not None and (redirects or not applies(request.scope["path"])):
                answered = own(request, error)
                return await answered if isawaitable(answered) else answered
            failed = convert(request, error)
            note(request, failed)
            return answer(failed)

        return handle

    def build() -> ASGIApp:
        # Only now are all handlers of the application known, also those that were added after Keyhouse.
        handlers = app.exception_handlers
        handlers[Failure] = handler(lambda _, error: error, None)
        for kind, convert in (
            (RequestValidationError, lambda _, error: of_validation(error)),
            (HTTPException, of_http),
        ):
            handlers[kind] = handler(convert, handlers.get(kind))
        return build_stack()

    build_stack = app.build_middleware_stack
    app.build_middleware_stack = build  # type: ignore[method-assign] # the one moment at which Starlette reads handlers


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
