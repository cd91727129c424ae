"""A Keyhouse in a process of its own, and the pipe to it.

Not in a thread of the tests': neither their event loop nor their frozen clock, patched sockets, coverage or warnings
filters reach it there. The process ends when the pipe does, and so with the tests, however those end.
"""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keyhouse.settings import Settings

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
# What would make another server of it, or measure it as if it were a test.
_NOT_ITS_OWN = ("KEYHOUSE_", "COVERAGE_", "COV_CORE_", "PYTEST_", "PYTHONWARNINGS")


class StartError(Exception):
    """Why there is no server, in one sentence."""


class _Process:
    """One server process: a line in, a line out. Threads take turns."""

    def __init__(self, folder: Path, scopes: Mapping[str, str], environment: Mapping[str, str]) -> None:
        self.log = folder / "keyhouse.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_ITS_OWN)}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "keyhouse.testing"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env={**inherited, **environment},
                text=True,
                encoding="utf-8",
                # Ctrl-C is for the tests; they end the server when they have said their last.
                start_new_session=True,
            )
        self._turn = threading.Lock()
        impatience = threading.Timer(_START_SECONDS, self._process.kill)
        impatience.start()
        try:
            self.told = self.ask(json.dumps({"scopes": dict(scopes)}))
        except StartError:
            self.end()
            raise
        finally:
            impatience.cancel()

    def ask(self, line: str) -> dict[str, Any]:
        """What it answers to a line. Raises `StartError` when it is not there."""
        asked, told = self._pipes()
        with self._turn:
            try:
                asked.write(line + "\n")
                asked.flush()
                answer = told.readline()
            except (OSError, ValueError):
                answer = ""
        if not answer:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise StartError(f"is not there: {last[0]} (the whole log is {self.log})")
        return dict(json.loads(answer))

    def end(self) -> None:
        """Ends it; what it was doing is answered first."""
        asked, told = self._pipes()
        with contextlib.suppress(OSError):
            asked.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        told.close()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        if self._process.stdin is None or self._process.stdout is None:
            raise StartError("has no pipe")
        return self._process.stdin, self._process.stdout


@dataclass(frozen=True)
class KeyhouseServer:
    """A live server with a company in it.

    `email` and `password` are those of the company's admin, `api_key` is the token of a key with every resource scope.
    `environment` are the settings with which another process is one more worker of it: same database, same secret.
    `log` is the file of its log, JSON lines, with the `cause` of each refusal.
    """

    base_url: str
    company_id: str
    email: str
    log: Path
    password: str = field(repr=False)
    api_key: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    _process: _Process = field(repr=False)

    def settings(self) -> "Settings":
        """`environment` as settings, for `create_app` or `install` in the tests' own process."""
        # Whoever needs no settings shall not import what makes them.
        from keyhouse.settings import PREFIX, Settings  # noqa: PLC0415

        values: dict[str, Any] = {name.removeprefix(PREFIX).lower(): text for name, text in self.environment.items()}
        return Settings(_env_file=None, **values)

    def token(self, kind: str) -> str:
        """A fresh token of one of the kinds of `KeyhouseTokens`."""
        return str(self._process.ask(kind)["token"])


@contextlib.contextmanager
def running(
    folder: Path, *, scopes: Mapping[str, str] | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[KeyhouseServer]:
    """A server that keeps what it has in a folder, gone afterwards. Raises `StartError`.

    `settings` are more of its environment; without them it is on SQLite, signs with HS256, and hardly limits log-ins.
    """
    environment = {
        "KEYHOUSE_DATABASE_URL": f"sqlite:///{folder}/keyhouse.db",
        "KEYHOUSE_SECRET_KEY": secrets.token_urlsafe(48),
        "KEYHOUSE_ISSUER": "keyhouse",
        "KEYHOUSE_AUDIENCE": "keyhouse",
        "KEYHOUSE_LOGIN_RATE": "100000/minute",
        **(settings or {}),
    }
    process = _Process(folder, scopes or {}, environment)
    try:
        yield KeyhouseServer(log=process.log, environment=environment, _process=process, **process.told)
    finally:
        process.end()
