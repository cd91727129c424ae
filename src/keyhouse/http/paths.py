"""Paths: one spelling for the application, every allowed method for the client."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from re import Pattern

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = "/api/"
# Keyhouse's own paths on an application that has others. Each request of a host's asks: `*+` goes through an id once.
_OWN = re.compile(
    r"/api/v1/auth/.*|/api/v1/companies(?:/[^/]*+(?:/(?:api-keys|audit-events)(?:/.*)?)?)?/?"
    r"|/healthz|/readyz|/metrics|/\.well-known/jwks\.json"
)


def is_api(path: str) -> bool:
    """Whether the conventions of `/api/` hold for this path."""
    return path.startswith(API)


def is_own(path: str) -> bool:
    """Whether it is a path of Keyhouse's, whoever's application it stands in."""
    return _OWN.fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class Operation:
    """A path of the application, as it was written, and a set of methods there."""

    path: str
    methods: frozenset[str]
    pattern: Pattern[str]


class RouteTable:
    """What the application's routes are, for when something went wrong: routing itself is the framework's."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._operations: Sequence[Operation] | None = None

    def __iter__(self) -> Iterator[Operation]:
        if self._operations is None:
            self._operations = tuple(self._read())
        return iter(self._operations)

    def methods(self, path: str) -> set[str]:
        """Every method that some route of this path takes; none means that there is no such path."""
        found: set[str] = set()
        for operation in self:
            if operation.pattern.match(path):
                found |= operation.methods
        return found | ({"HEAD"} if "GET" in found else set())

    def _read(self) -> Iterator[Operation]:
        for route in iter_route_contexts(self._app.routes):
            if route.path is not None and route.methods:
                yield Operation(route.path, frozenset(route.methods), compile_path(route.path)[0])


class Paths:
    """A path without its last slash is the path with it, and HEAD is GET without the body."""

    def __init__(self, app: ASGIApp, applies: Callable[[str], bool]) -> None:
        self.app = app
        self._applies = applies

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or not self._applies(scope["path"]):
            return self.app(scope, receive, send)
        if not scope["path"].endswith("/"):
            scope["path"] += "/"
            if scope.get("raw_path") is not None:
                scope["raw_path"] += b"/"
        if scope["method"] != "HEAD":
            return self.app(scope, receive, send)
        return self._head(scope, receive, send)

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A copy: the server must still see HEAD, or it waits for a body as long as Content-Length says.
        asked = {**scope, "method": "GET"}
        try:
            await self.app(asked, receive, _without_body(send))
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]


def _without_body(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {
                "type": "http.response.body",
                "body": b"",
                "more_body": message.get("more_body", False),
            }
        await send(message)

    return answer
