"""The HTTP server under both `dev` and `serve`: uvicorn on uvloop and httptools, on a socket that we open."""

import gc
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from keyhouse.cli.mistakes import Mistake
from keyhouse.db.base import new_id
from keyhouse.errors import failure, unavailable
from keyhouse.http import envelope

# Connections of one worker. Below the 1024 open files that a process is commonly allowed, with room for the database.
MAX_CONNECTIONS = 900
# Longer than the longest wait of a revocation, so that its answer is still sent.
_GRACE_SECONDS = 20
# A worker says nothing before it has imported the application; one that is killed for it never comes up.
_WORKER_PATIENCE_SECONDS = 60
_BACKLOG = 2048


class Connection(HttpToolsProtocol):
    """uvicorn's own, with its refusals in the envelope.

    Beyond `MAX_CONNECTIONS` a new connection is told to come again, while those before it are served: uvicorn's
    `limit_concurrency` would refuse the requests of all.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            refused = unavailable("too many connections")
            refused.headers = {**refused.headers, **_own_headers()}
            self.app = envelope.answer(refused)

    def send_400_response(self, msg: str) -> None:
        body = envelope.body(failure("parse_error", detail=msg))
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **_own_headers()}
        head = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{head}\r\n".encode() + body)
        self.transport.close()


def _own_headers() -> dict[str, str]:
    return {"Cache-Control": "no-store", "X-Request-ID": new_id(), "Connection": "close"}


class _Config(uvicorn.Config):
    """Takes what is loaded, which lives as long as the process, out of the garbage collector's sight.

    It would look through all of it again and again, and each time keep every request waiting for a tenth of a second.
    """

    def load(self) -> None:
        super().load()
        gc.collect()
        gc.freeze()


class _Server(uvicorn.Server):
    """Says when it answers requests."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_start()


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to that address; port 0 picks a free one. Raises `Mistake` when that can't be had."""
    bound = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Named, since a socket of protocol 0 is not known for TCP, and asyncio then leaves Nagle's algorithm on.
        bound = socket.socket(family, kind, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except (OSError, UnicodeError) as error:
        if bound is not None:
            bound.close()
        why = error.strerror if isinstance(error, OSError) else "no host has such a name"
        raise Mistake(f"can't listen at {host} port {port}: {why}") from None
    return bound


def url(bound: socket.socket) -> str:
    """Where a client of this machine reaches the socket."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - that is what is replaced
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: Any, bound: socket.socket, *, workers: int = 1, on_start: Callable[[], None] = lambda: None) -> None:
    """Serves until SIGINT or SIGTERM, and then until what was begun is answered.

    With several workers `app` is the name of a factory, which each of them calls. Raises `Mistake` when the server
    does not come up; its log says why.
    """
    config = _Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        forwarded_allow_ips=[],
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_worker_healthcheck=_WORKER_PATIENCE_SECONDS,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    if workers > 1:
        supervisor = Multiprocess(config, sockets=[bound])
        supervisor.run()
        status: Any = max(process.exitcode or 0 for process in supervisor.processes)
    else:
        try:
            _Server(config, on_start).run(sockets=[bound])
            status = 0
        except SystemExit as leaving:
            status = leaving.code
    if status == STARTUP_FAILURE:
        raise Mistake("the server did not start: its log says why")


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """The server raises its signal again when it is done: leaving is then no failure."""
    raise SystemExit(0)
