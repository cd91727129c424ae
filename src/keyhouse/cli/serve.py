"""`serve`: the server of production."""

import asyncio
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import structlog
import typer
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from keyhouse import logs
from keyhouse.app import create_app, entrance
from keyhouse.cli import listening, store
from keyhouse.cli.parameters import Host, Port
from keyhouse.http.metrics import SHARED_FOLDER
from keyhouse.issuance.throttle import Throttle
from keyhouse.settings import ConfigurationError, Settings
from keyhouse.tokens import KeyRing

_MOST_WORKERS = 256

log = structlog.get_logger("keyhouse.server")


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, max=_MOST_WORKERS, help="Processes that share the port.")] = 1,
) -> None:
    """Serve the API, in production.

    Configured by KEYHOUSE_* variables and .env. Put a proxy in front that ends TLS and slow requests, and name it in
    KEYHOUSE_TRUSTED_PROXIES. A worker holds at most 900 connections; further ones are answered 503. Logs go to standard
    error. SIGTERM stops it once what was begun is answered, within 20 seconds.
    """
    chosen = asyncio.run(_checked())
    with listening.listen(host, port) as bound:
        logs.configure(chosen.log_format)
        log.info("server.listening", url=listening.url(bound), workers=workers)
        with _shared_metrics(workers):
            listening.run(f"{__name__}:application", bound, workers=workers)


@contextmanager
def _shared_metrics(workers: int) -> Iterator[None]:
    """A folder where the workers' figures meet, so that whichever is asked at /metrics answers for all."""
    if workers == 1 or os.environ.get(SHARED_FOLDER):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="keyhouse-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[SHARED_FOLDER]


def application() -> ASGIApp:
    """The application of this process, which reads its own settings and sends its own logs."""
    logs.configure("json")
    try:
        chosen = store.settings(signing=True)
        logs.configure(chosen.log_format)
        _follow_parent()
        return entrance(create_app(chosen))
    except ConfigurationError as error:
        # Checked before, so it was changed since: the same would happen at each new start.
        log.critical("server.misconfigured", why=str(error))
        sys.exit(STARTUP_FAILURE)


async def _checked() -> Settings:
    """The settings, if a server can come up with them. Raises `Mistake` or `ConfigurationError`."""
    chosen = store.settings(signing=True)
    KeyRing.from_settings(chosen)
    Throttle(chosen.login_rate, chosen.rate_limit_storage.get_secret_value())
    async with store.connected(chosen) as database:
        await store.require_head(database)
    return chosen


def _follow_parent() -> None:
    """A worker whose parent was killed would hold the port for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def stop_after_parent() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_after_parent, daemon=True).start()
