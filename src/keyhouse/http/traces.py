"""What OpenTelemetry is told of a request: its route and its verdict, and nothing that a client wrote.

A token that a client puts by mistake into a path, a query or a header would otherwise be kept by whoever keeps traces.
So the raw path, the query, the Host and the User-Agent are left out, and a span has its route instead.
"""

import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keyhouse.gate.exchange import SCOPE_KEY, Exchange
from keyhouse.logs import TRACING

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What the instrumentations of others note of a request that a client may have written a token into.
_WRITTEN_BY_CLIENTS = frozenset(
    {
        *("url.path", "url.query", "url.full", "http.url", "http.target"),
        *("http.host", "http.server_name", "server.address", "net.host.name"),
        *("user_agent.original", "http.user_agent", "http.request.method_original"),
    }
)


def _ours(_: Scope) -> bool:
    return True


# The framework's own spans have path and query, and its log records the text of exceptions: ours stand in their place.
# It still sets a tracer up, if the environment asks it to.
INSTEAD: TelemetryConfig = {"exclude": _ours, "metrics": False, "logs": False}


class Spans:
    """The layer around everything of Keyhouse's. Without OpenTelemetry's SDK it hands on what comes.

    On an application that is Keyhouse's `own`, each request is a span. One that is there already, by an instrumentation
    further out, gets Keyhouse's attributes; nobody gets a second one.
    """

    def __init__(self, app: ASGIApp, *, own: bool) -> None:
        self.app = app
        self.own = own
        self._tracer = trace.get_tracer("keyhouse")

    # A coroutine, though the next layers are none where they only hand on, since each costs every request: what others
    # put around this one may take anything else for ASGI 2.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.enter(scope, receive, send)

    def enter(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """The same for whoever knows that it is ASGI 3, without a coroutine more."""
        if TRACING not in sys.modules or scope["type"] != "http":
            return self.app(scope, receive, send)
        return self._observed(scope, receive, send)

    async def _observed(self, scope: Scope, receive: Receive, send: Send) -> None:
        around = trace.get_current_span()
        if around.get_span_context().is_valid:
            await self.app(scope, receive, _telling(around, scope, send, _clean if self.own else _leave))
        elif self.own:
            await self._trace(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _trace(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = _method(scope)
        with self._tracer.start_as_current_span(
            _name(method, ""),
            context=propagate.extract(_told(scope)),
            kind=SpanKind.SERVER,
            attributes=_known(scope, method),
            # Its text may have anything in it; the log has it, where tokens are taken out.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                await self.app(scope, receive, _telling(span, scope, send, _finish))
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise
            finally:
                if route := _route(scope):
                    span.set_attribute("http.route", route)
                    span.update_name(_name(method, route))


def _told(scope: Scope) -> Headers:
    """The headers in which a client names its trace, of which a span hands some on as they are: but for tokens."""
    return Headers(
        raw=[(name, value) for name, value in scope["headers"] if b"eyJ" not in value and b"khr_" not in value]
    )


def _known(scope: Scope, method: str) -> dict[str, Any]:
    # The socket's: the Host is what a client wrote.
    address, port = scope.get("server") or (None, None)
    return _without_none(
        {
            "http.request.method": method,
            "url.scheme": scope.get("scheme", "http"),
            "network.protocol.version": scope["http_version"],
            "server.address": address,
            "server.port": port,
        }
    )


def _without_none(attributes: dict[str, Any]) -> dict[str, Any]:
    """None is no value of an attribute, and the SDK complains of it."""
    return {name: value for name, value in attributes.items() if value is not None}


def _method(scope: Scope) -> str:
    return str(scope["method"]) if scope["method"] in _METHODS else "_OTHER"


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", ""))


def _name(method: str, route: str) -> str:
    return f"{'HTTP' if method == '_OTHER' else method} {route}".rstrip()


def _telling(span: Span, scope: Scope, send: Send, rest: Callable[[Span, Scope, int], None]) -> Send:
    """Tells the span of the verdict, and the `rest`, when the answer begins: some end a span with its last byte."""

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start" and span.is_recording():
            exchange: Exchange = scope[SCOPE_KEY]
            who = exchange.principal
            told = {
                "keyhouse.request_id": exchange.request_id,
                "keyhouse.principal": None if who is None else who.user_id,
                "keyhouse.credential": None if who is None else who.credential_id,
                "keyhouse.cause": exchange.cause,
            }
            span.set_attributes(_without_none(told))
            rest(span, scope, message["status"])
        await send(message)

    return answer


def _finish(span: Span, _: Scope, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_attribute("error.type", str(status))
        span.set_status(StatusCode.ERROR)


def _clean(span: Span, scope: Scope, _: int) -> None:
    """Takes out what clients wrote. What a span has can be replaced, not removed."""
    there = _WRITTEN_BY_CLIENTS & (getattr(span, "attributes", None) or {}).keys()
    span.set_attributes(dict.fromkeys(there, ""))
    span.update_name(_name(_method(scope), _route(scope)))


def _leave(_: Span, __: Scope, ___: int) -> None:
    """A host's telemetry is the host's."""
