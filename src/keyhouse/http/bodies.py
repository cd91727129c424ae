"""Bodies: bounded, of the one media type, and JSON as the standard has it (RFC 8259), before anything acts on them."""

import json
from collections.abc import Awaitable, Callable, Collection
from math import isfinite
from typing import Any, NoReturn

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keyhouse.errors import Failure, failure
from keyhouse.http.paths import RouteTable

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_INT64 = range(-(1 << 63), 1 << 63)
_LONGEST_INTEGER = 20
_IMPLIED = "keyhouse.implied_body"


class Bodies:
    """Reads a body whole, counting, and hands it on; a bad one is told only where there is a route to tell it."""

    def __init__(
        self,
        app: ASGIApp,
        routes: RouteTable,
        max_bytes: int,
        forms: Collection[str],
        applies: Callable[[str], bool],
    ) -> None:
        """`forms` are the paths that take a form instead of JSON."""
        self.app = app
        self._routes = routes
        self._max_bytes = max_bytes
        self._forms = forms
        self._applies = applies

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or not _may_have_body(scope) or not self._applies(scope["path"]):
            return self.app(scope, receive, send)
        return self._take(scope, receive, send)

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._read(scope, receive)
            if body is None:
                return
            if body:
                self._check(scope, body)
            elif scope["path"] not in self._forms:
                body = self._as_empty_object(scope)
        except Failure:
            if scope["method"] in self._routes.methods(scope["path"]):
                raise
            body = b""
        await self.app(scope, _replay(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body, or None when the client hung up. Raises `request_too_large` as soon as that is known."""
        declared = _header(scope, b"content-length")
        if declared is not None and declared.isdigit() and int(declared[:20]) > self._max_bytes:
            raise failure("request_too_large")
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                raise failure("request_too_large")
            if not message.get("more_body", False):
                return bytes(body)

    def _check(self, scope: Scope, body: bytes) -> None:
        encodings = [value for name, value in scope["headers"] if name == b"content-encoding"]
        if any(value.strip().lower() != b"identity" for value in encodings):
            raise failure("unsupported_media_type", cause="encoding")
        form = scope["path"] in self._forms
        if not _is_media_type(scope, _FORM if form else _JSON):
            raise failure("unsupported_media_type", cause="media type")
        if not form:
            parse(body)

    @staticmethod
    def _as_empty_object(scope: Scope) -> bytes:
        """An empty body counts as `{}`, so that every required field is told."""
        if scope["method"] not in {"POST", "PUT", "PATCH"}:
            return b""
        others = [(n, v) for n, v in scope["headers"] if n not in {b"content-type", b"content-length"}]
        scope["headers"] = [*others, (b"content-type", _JSON.encode()), (b"content-length", b"2")]
        scope[_IMPLIED] = True
        return b"{}"


def was_implied(scope: Scope) -> bool:
    """Whether the JSON body is not the client's: it sent none, of whatever media type."""
    return _IMPLIED in scope


def parse(body: bytes) -> Any:
    """The JSON value in a body. Raises `parse_error` for what is not JSON in UTF-8, for numbers that no database
    holds, and for an object that names something twice: two readers of it could see two requests.
    """
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_bounded,
        )
    except json.JSONDecodeError as error:
        raise failure("parse_error", detail=f"JSON parse error - {error}") from None
    except (ValueError, RecursionError):
        raise failure("parse_error") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate name")
    return value


def _refuse(_: str) -> NoReturn:
    raise ValueError("not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError("out of range")
    return value


def _bounded(text: str) -> int:
    if len(text) > _LONGEST_INTEGER or int(text) not in _INT64:
        raise ValueError("out of range")
    return int(text)


def _may_have_body(scope: Scope) -> bool:
    if scope["method"] not in {"GET", "HEAD"}:
        return True
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == wanted), None)


def _is_media_type(scope: Scope, wanted: str) -> bool:
    values = [value for name, value in scope["headers"] if name == b"content-type"]
    if len(values) != 1:
        return False
    media_type, _, parameters = values[0].decode("latin-1").partition(";")
    if media_type.strip().lower() != wanted:
        return False
    name, _, value = parameters.partition("=")
    return name.strip().lower() != "charset" or value.strip().strip('"').lower() in {"utf-8", "utf8"}


def _replay(body: bytes, receive: Receive) -> Receive:
    pending = True

    async def replay() -> Message:
        nonlocal pending
        if pending:
            pending = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
