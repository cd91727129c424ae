"""Keyhouse with one route more, whose handler takes nothing: what it costs is what stands before the handler.

Run as a program it serves as `keyhouse serve` does: the same settings, logs and HTTP server.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Security
from starlette.types import ASGIApp

from keyhouse import Principal, Settings, create_app, guard, install, logs
from keyhouse.app import entrance
from keyhouse.cli import listening
from keyhouse.directory import hashers, passwords

PATH = "/api/v1/companies/{company_id}/guarded/"
SCOPE = "bench:read"
SCOPES = {SCOPE: "Read what the benchmark reads"}


def answer() -> dict[str, Any]:
    """The same body as the peers'."""
    return {
        "results": [{"id": "0199f4a2-6c1e-7b7a-9d52-2f1f0a4f5b10", "name": "Orders"}],
        "next_cursor": None,
    }


async def nothing() -> None:
    """FastAPI's own price of a dependency."""


async def without() -> dict[str, Any]:
    return answer()


async def empty(_: Annotated[None, Depends(nothing)]) -> dict[str, Any]:
    return answer()


async def guarded(_: Annotated[Principal, Security(guard, scopes=[SCOPE])]) -> dict[str, Any]:
    return answer()


def reference(handler: Callable[..., Any]) -> FastAPI:
    """The reference server with a router of its own: request ids, envelope, metrics and a log line for each request."""
    settings = Settings()
    logs.configure(settings.log_format)
    router = APIRouter()
    router.get(PATH)(handler)
    return create_app(settings, routers=[router], scopes=SCOPES)


def create() -> ASGIApp:
    """The reference server with the guard in front of the handler."""
    return entrance(reference(guarded))


def create_unhashed() -> ASGIApp:
    """The same, where a password takes as long as a hash does and no processor: log-ins without what they must cost."""
    hashers.ask = lambda *request: (time.sleep(0.05), [request[-1] is not None, None])[1]
    return create()


def create_full() -> ASGIApp:
    """The same, where no password finds room: a log-in is sent away."""
    passwords._QUEUED_PER_WORKER = -1  # noqa: SLF001 - nothing public leaves none
    return create()


def create_empty() -> ASGIApp:
    """The same application, and the same path in it, but for the guard: a dependency that does nothing."""
    return entrance(reference(empty))


def create_unguarded() -> ASGIApp:
    """The same application, and the same path in it, without any dependency."""
    return entrance(reference(without))


def embed() -> FastAPI:
    """The guard on an application that exists, as the peers' guards stand on one: nothing else of it is Keyhouse's."""
    settings = Settings()
    logs.configure(settings.log_format)
    app = FastAPI()
    app.get(PATH)(guarded)
    install(app, settings, scopes=SCOPES)
    return app


if __name__ == "__main__":
    listening.run(
        f"benchmarks.ours_app:{sys.argv[3]}", listening.listen("127.0.0.1", int(sys.argv[1])), workers=int(sys.argv[2])
    )
