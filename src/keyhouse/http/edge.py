"""The outermost layer: a request gets its id, its answer its headers, its failure an envelope, and the log one line."""

import re
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import lru_cache
from traceback import format_exception

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keyhouse import logs
from keyhouse.db.base import new_id
from keyhouse.errors import Failure
from keyhouse.gate import Exchange, Gate
from keyhouse.gate.exchange import SCOPE_KEY, Headers
from keyhouse.http import envelope
from keyhouse.http.clients import Clients
from keyhouse.http.metrics import Metrics
from keyhouse.http.paths import API

# It is kept in logs and audit events, where a refresh token has no place.
_REQUEST_ID = re.compile(rb"(?!.*khr_)[A-Za-z0-9._-]{1,128}")
_NO_STORE = (b"cache-control", b"no-store")
# An API key within so many seconds of its end is told of it.
_NOTICE = 14 * 86400

log = structlog.get_logger("keyhouse.request")


def note(request: Request, failed: Failure) -> None:
    """Keeps why a request was refused, for its log line."""
    exchange = request.scope.get(SCOPE_KEY)
    if exchange is not None:
        exchange.cause = failed.cause or failed.entries[0].code


class Edge:
    """Opens an `Exchange` for each request and closes it with a line in the log."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        gate: Gate,
        clients: Clients,
        metrics: Metrics,
        applies: Callable[[str], bool],
        conventions: Callable[[ASGIApp], ASGIApp],
    ) -> None:
        """Where Keyhouse's rules apply, a request goes through the `conventions`; elsewhere straight to the host."""
        self.app = app
        self._own = conventions(app)
        self._gate = gate
        self._describe = lambda headers, peer: (_request_id(headers), clients.address(headers, peer))
        self._metrics = metrics
        self._applies = applies
        self._tell: Callable[..., None] | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan":
            return self.app(scope, receive, send)
        exchange = Exchange(self._gate, scope["headers"], scope.get("client"), self._describe)
        scope[SCOPE_KEY] = exchange
        if scope["type"] != "http" or not self._applies(scope["path"]):
            return self.app(scope, receive, send)
        return self._serve(scope, receive, send, exchange)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        began = time.perf_counter()
        method, status = scope["method"], 0
        own = [(b"x-request-id", exchange.described()[0].encode())]
        if scope["path"].startswith(API):
            own.append(_NO_STORE)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                ends_in, who = exchange.key_ends_in, exchange.principal
                if ends_in is not None and ends_in <= _NOTICE and who is not None:
                    own.append(_notice(who.expires_at))
                message["headers"] = [*message.get("headers", ()), *own]
            await send(message)

        try:
            await self._own(scope, receive, answer)
        except Exception as error:
            if status:
                raise
            await _refuse(error, scope, receive, answer)
        finally:
            self._close(scope, exchange, method, status, time.perf_counter() - began)

    def _close(self, scope: Scope, exchange: Exchange, method: str, status: int, seconds: float) -> None:
        route = str(getattr(scope.get("route"), "path", ""))
        who = exchange.principal
        verdict = exchange.cause or (None if who is None else "accepted")
        self._metrics.request(method, route, status, verdict)
        if self._tell is None:
            self._tell = logs.of_requests(log)
        request_id, client = exchange.described()
        # In the order of logs.REQUEST_FIELDS.
        self._tell(
            request_id,
            int(seconds * 100_000) / 100,
            method,
            route,
            status,
            None if who is None else who.user_id,
            None if who is None else who.credential_id,
            exchange.cause,
            client,
        )


class Failures:
    """Answers failures where CORS can still add its headers, without which a page of another origin reads nothing."""

    def __init__(self, app: ASGIApp, applies: Callable[[str], bool]) -> None:
        self.app = app
        self._applies = applies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._applies(scope["path"]):
            await self.app(scope, receive, send)
            return
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if begun:
                raise
            await _refuse(error, scope, receive, answer)


async def _refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    exchange: Exchange = scope[SCOPE_KEY]
    if isinstance(error, Failure):
        failed = error
    else:
        failed = envelope.of_unforeseen()
        # As text: the formatter of an application that embeds us may show local variables, tokens among them.
        log.error("request.failed", request_id=exchange.request_id, exception="".join(format_exception(error)).rstrip())
    exchange.cause = failed.cause or failed.entries[0].code
    await envelope.answer(failed)(scope, receive, send)


@lru_cache(maxsize=1024)
def _notice(ends: datetime) -> tuple[bytes, bytes]:
    """Tells a client in time that its key ends; nobody else reads its expiry again."""
    return b"x-api-key-expires", ends.strftime("%Y-%m-%dT%H:%M:%SZ").encode()


def _request_id(headers: Headers) -> str:
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return new_id()
