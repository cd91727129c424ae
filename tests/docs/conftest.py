"""A server for the pages' own commands."""

import json
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import Server
from support.fences import shown


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the page's own command prints: `keyhouse dev`, in a folder of its own."""
    (command,) = shown("getting-started.md", under="Where to go from here")
    program, *arguments = shlex.split(command)
    assert program == "keyhouse"
    server = Server(tmp_path, *arguments, env={})
    try:
        yield json.loads(server.line(server.out))
    finally:
        server.kill()


@pytest.fixture
def port() -> int:
    """One that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
