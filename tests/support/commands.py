"""The command line: how a command ended, and servers in processes of their own."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from keyhouse.db import Database

PROGRAM = Path(sys.executable).with_name("keyhouse")
# What a server may take to come up on a busy machine.
PATIENCE = 60.0


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """The standard output of a command that succeeded without a word about it."""
        assert (self.status, self.err) == (0, ""), self.err
        return self.out

    @property
    def json(self) -> Any:
        assert self.said.count("\n") == 1
        return json.loads(self.said)

    def mistake(self, status: int = 1) -> str:
        """The one line of a mistake, without the program's name."""
        assert (self.status, self.out) == (status, ""), (self.status, self.out, self.err)
        assert self.err.startswith("keyhouse: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("keyhouse: ").rstrip("\n")


Command = Callable[..., Done]


def sql(url: str, statement: str) -> list[tuple[Any, ...]]:
    """What the store holds after a command."""

    async def ask() -> list[tuple[Any, ...]]:
        database = Database(url)
        async with database.writing() as tx:
            result = await tx.execute(text(statement))
            rows = [tuple(row) for row in result.all()] if result.returns_rows else []
        await database.close()
        return rows

    return asyncio.run(ask())


def without_settings() -> dict[str, str]:
    """The environment of this process, less every word about Keyhouse."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KEYHOUSE_")}


class Server:
    """A `keyhouse dev` or `serve` in a process of its own, with its streams in files."""

    def __init__(self, folder: Path, *arguments: str, env: Mapping[str, str]) -> None:
        self.folder, self.out, self.err = folder, folder / "out", folder / "err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [str(PROGRAM), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env={**without_settings(), **env},
                start_new_session=True,
            )

    def log(self) -> list[dict[str, Any]]:
        """The lines of a log in JSON."""
        return [json.loads(line) for line in self.err.read_text().splitlines()]

    def line(self, file: Path, what: str = "") -> str:
        """The first whole line with this in it, as soon as there is one."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and (self.process.poll() is None or file.read_text()):
            for line in file.read_text().splitlines(keepends=True):
                if what in line and line.endswith("\n"):
                    return line
            time.sleep(0.02)
        raise AssertionError(f"{self.process.args!r} said {self.out.read_text()!r} and {self.err.read_text()!r}")

    def base_url(self) -> str:
        """Where `serve` listens, once it answers."""
        url = str(json.loads(self.line(self.err, "server.listening"))["url"])
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if httpx.get(f"{url}/healthz", timeout=PATIENCE).status_code == 200:
                    return url
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError(self.err.read_text())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal, and answers the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """Kills it and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
