"""A program that starts servers for the tests: it imports Keyhouse once and forks a process for each line it reads.

A line is a JSON object: `arguments` of the command `keyhouse`, `environment`, the file for its `log`, and what it is to
do `without`: the names in `TAKEN_OUT`. It answers with the process's id.
"""

import json
import os
import signal
import sys
import time
from typing import Any

import keyhouse.app
import keyhouse.cli
from keyhouse.credentials.postgresql_view import PostgresqlView
from keyhouse.credentials.sqlite_view import SqliteView
from keyhouse.credentials.state import State
from keyhouse.revocation import Revocation

_BLIND_SECONDS = 0.1


class Hasty(Revocation):
    """Answers a revocation as soon as it is committed."""

    async def _keep(self, bound: float, grace: float) -> None:
        pass


class BlindView(SqliteView):
    """Looks at the file's change counter now and then, not at each request."""

    _blind_until = 0.0

    def held(self, credential_id: str) -> State | None:
        if time.monotonic() >= self._blind_until:
            self._blind_until = time.monotonic() + _BLIND_SECONDS
            self._follow()
        return self.cache.get(credential_id)


def _without_promise() -> None:
    keyhouse.app.Revocation = Hasty  # type: ignore[attr-defined] # the name by which it is wired
    keyhouse.app.SqliteView = BlindView  # type: ignore[attr-defined] # as above


def _without_notifications() -> None:
    """As on a half-open connection: the server takes it for a live one, and nothing ever comes."""
    PostgresqlView._wake = lambda *_: None  # type: ignore[method-assign]


TAKEN_OUT = {"promise": _without_promise, "notifications": _without_notifications}


def _become(order: dict[str, Any]) -> None:
    """A server, in this process."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(order["environment"])
    for name in order["without"]:
        TAKEN_OUT[name]()
    sys.argv = ["keyhouse", *order["arguments"]]
    keyhouse.cli.main()


def main() -> None:
    # Nobody waits for the servers: the tests see that one is gone by its id.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                _become(json.loads(line))
            except SystemExit as leaving:
                os._exit(leaving.code if isinstance(leaving.code, int) else 1)
            finally:
                os._exit(1)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
