"""The command line: in this process for what a command does, in processes of its own for what only they can do."""

import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from keyhouse import cli
from support.commands import Command, Done, Server
from support.world import SECRET


@pytest.fixture
def keyhouse(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Command]:
    """Runs a command in this process, in an empty folder and without a word of configuration. `stdin` is what it
    reads.
    """
    for name in [name for name in os.environ if name.startswith("KEYHOUSE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    # What a server's log takes over, and pytest wants back.
    for hooked, name in ((sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(hooked, name, getattr(hooked, name))
    root, warnings_too = logging.getLogger(), logging.captureWarnings
    handlers, level = root.handlers[:], root.level

    def run(*arguments: str, stdin: str | bytes = "") -> Done:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "argv", ["keyhouse", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        capfd.readouterr()
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        assert isinstance(leaving.value.code, int)
        out, err = capfd.readouterr()
        return Done(leaving.value.code, out, err)

    yield run
    warnings_too(capture=False)
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def configured(keyhouse: Command, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The same with a database at head and a secret."""
    monkeypatch.setenv("KEYHOUSE_DATABASE_URL", database_url)
    monkeypatch.setenv("KEYHOUSE_SECRET_KEY", SECRET)
    return keyhouse


@pytest.fixture
def on_sqlite(keyhouse: Command, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The same on SQLite alone, for what is decided before any SQL."""
    monkeypatch.setenv("KEYHOUSE_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("KEYHOUSE_SECRET_KEY", SECRET)
    return keyhouse


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers, each in a folder of its own, that are gone when the test is over. Keywords are environment."""
    started: list[Server] = []

    def run(*arguments: str, **env: str) -> Server:
        folder = tmp_path / f"server{len(started)}"
        folder.mkdir()
        started.append(Server(folder, *arguments, env=env))
        return started[-1]

    yield run
    for server in started:
        server.kill()
