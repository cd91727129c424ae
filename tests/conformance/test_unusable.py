"""Where there is nothing to check, it is said in one sentence."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from keyhouse.conformance.api import Api
from keyhouse.conformance.redaction import Redaction
from keyhouse.conformance.runner import run
from keyhouse.conformance.target import Target, UnusableError
from keyhouse.testing import KeyhouseServer
from support.conformance import arguments, conform
from support.postgres import free_port
from support.projects import without_ours


class _Other(BaseHTTPRequestHandler):
    """Answers every POST as its server was told to."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, kind, body = self.server.answer  # type: ignore[attr-defined] # see `other`
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", str(self.server.retry_after))  # type: ignore[attr-defined] # as above
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def other() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Other)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(keyhouse_server: KeyhouseServer) -> Target:
    server = keyhouse_server
    return Target(server.base_url, server.company_id, server.email, server.password)


def why(target: Target) -> str:
    said: list[str] = []
    with pytest.raises(UnusableError) as refused:
        run(target, say=said.append)
    assert len(said) <= 1
    return str(refused.value)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://", "http://host:port", "http://[", "h"])
def test_no_url(target: Target, url: str) -> None:
    assert why(replace(target, url=url)) == f"{url!r} is no URL of a server: http://HOST:PORT is needed"


def test_nobody_there(target: Target) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert why(replace(target, url=url)).startswith(f"{url} can't be reached: ")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((404, "text/html", b"<h1>Not Found</h1>"), "404 (text/html)"),
        ((200, "text/html", b"<h1>Welcome</h1>"), "200 (text/html)"),
        ((200, "application/json", b'{"token": "x"}'), "200 (application/json)"),
        ((200, "application/json", b"[]"), "200 (application/json)"),
        ((500, "text/plain", b""), "500 (text/plain)"),
    ],
)
def test_another_server(target: Target, other: Any, answer: tuple[int, str, bytes], told: str) -> None:
    other.answer = answer
    url = f"http://127.0.0.1:{other.server_port}"
    assert why(replace(target, url=url)) == (
        f"{url} is no server of this contract: POST /api/v1/auth/token/ answered {told}"
    )


def test_a_server_that_is_throttled_for_a_day(target: Target, other: Any) -> None:
    other.retry_after, other.answer = 86400, (429, "application/json", b"{}")
    url = f"http://127.0.0.1:{other.server_port}"
    assert why(replace(target, url=url)).startswith(f"{url} lets nobody log in: ")


def test_the_company_of_somebody_else(target: Target) -> None:
    company_id = str(uuid4())
    assert why(replace(target, company_id=company_id)) == (
        f"{target.email} is no member of the company {company_id} at {target.url}"
    )


def test_a_wrong_password(target: Target, tmp_path: Path) -> None:
    server = {"base_url": target.url, "company_id": target.company_id, "email": target.email, "password": "wrong"}
    ran = conform(server, tmp_path)
    assert ran.status == 1
    assert ran.outcomes == {}
    assert ran.err == f"keyhouse: the log-in as {target.email} was refused: is the password right?\n"


def program(text: str, target: Target, folder: Path) -> subprocess.CompletedProcess[str]:
    """`keyhouse conformance` after a line of Python."""
    names = {"base_url": target.url, "company_id": target.company_id, "email": target.email}
    command = f"import sys; {text}; from keyhouse.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, "conformance", *arguments({**names, "password": target.password})],
        cwd=folder,
        env=without_ours(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("missing", ["httpx", "pytest"])
def test_without_its_extra(target: Target, tmp_path: Path, missing: str) -> None:
    done = program(f"sys.modules[{missing!r}] = None", target, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"keyhouse: {missing} is not installed: pip install 'keyhouse[pytest]'\n"


def test_no_check_at_all_is_a_failure(target: Target, tmp_path: Path) -> None:
    done = program("from keyhouse.conformance import runner; runner._CHECKS = ('__init__',)", target, tmp_path)
    assert done.returncode == 1
    assert done.stdout.endswith("Nothing was checked.\n")


def test_a_throttled_log_in_is_tried_again(target: Target, other: Any) -> None:
    """As often as it takes, each time after as long as the server says."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        other.retry_after -= 1
        if len(pauses) == 3:
            other.answer = (200, "application/json", b'{"access_token": "x"}')

    other.retry_after, other.answer = 4, (429, "application/json", b"{}")
    api = Api(replace(target, url=f"http://127.0.0.1:{other.server_port}"), Redaction(), pause)
    assert api.log_in().status == 200
    assert pauses == [4, 3, 2]
    api.close()
