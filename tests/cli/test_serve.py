"""`keyhouse serve`: several workers on one port, a graceful stop, and what `kill -9` leaves."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest
from uvicorn.config import STARTUP_FAILURE

from keyhouse.cli import serve
from support.commands import PATIENCE, Command, Server, sql
from support.world import SECRET

EMAIL = "ada@example.com"
PASSWORD = "a long enough passphrase"


@dataclass(frozen=True)
class Account:
    """A company with an admin, made by the operator, and what its server needs to know."""

    company: str
    environment: dict[str, str]
    new_key: Callable[[], dict[str, Any]]

    @property
    def path(self) -> str:
        return f"/api/v1/companies/{self.company}"


def _account(keyhouse: Command, url: str, monkeypatch: pytest.MonkeyPatch) -> Account:
    environment = {"KEYHOUSE_DATABASE_URL": url, "KEYHOUSE_SECRET_KEY": SECRET}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    here = ("--company", keyhouse("company", "create", "Acme", "--json").json["id"])
    assert keyhouse("user", "create", EMAIL, *here, "--role", "admin", "--password-stdin", stdin=PASSWORD).status == 0

    def new_key() -> dict[str, Any]:
        key = keyhouse("api-key", "create", *here, "--user", EMAIL, "--name", "ci", "--expires-in", "1d", "--json")
        return dict(key.json)

    return Account(here[1], environment, new_key)


@pytest.fixture
def on_postgresql(keyhouse: Command, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> Account:
    return _account(keyhouse, postgresql_url, monkeypatch)


@pytest.fixture
def on_one_file(keyhouse: Command, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Account:
    return _account(keyhouse, sqlite_url, monkeypatch)


def _worker_of(client: httpx.Client, url: str) -> int:
    """The process at the other end of this client's connection."""
    stream = client.get("/healthz").extensions["network_stream"]
    own, served = stream.get_extra_info("client_addr")[1], httpx.URL(url).port
    return next(
        found.pid
        for found in psutil.net_connections("tcp")
        if found.pid and found.raddr and (found.laddr.port, found.raddr.port) == (served, own)
    )


def _requests_in_all(client: httpx.Client) -> float:
    """How many requests for datasets the workers have answered, as this one tells."""
    text = client.get("/metrics").text
    return sum(
        float(value) for value in re.findall(r"^keyhouse_requests_total\{.*datasets.* (\S+)$", text, re.MULTILINE)
    )


@pytest.fixture
def connections() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_key_deleted_through_one_worker_is_dead_at_the_others_next_request(
    on_postgresql: Account, start: Callable[..., Server], connections: ExitStack, postgresql_url: str
) -> None:
    """Contract sections 6 and 7, and what is in the log, and a stop while a promise is waited for."""
    key, other = on_postgresql.new_key(), on_postgresql.new_key()
    server = start("serve", "--port", "0", "--workers", "2", **on_postgresql.environment)
    url = server.base_url()
    bearer = {"Authorization": f"Bearer {key['token']}"}

    def connect() -> httpx.Client:
        """A client with one connection, and so with one worker."""
        client = connections.enter_context(httpx.Client(base_url=url, timeout=PATIENCE))
        assert client.get(f"{on_postgresql.path}/datasets/", headers=bearer).status_code == 200
        return client

    one = connect()
    asked = 1
    for _ in range(200):
        another = connect()
        asked += 1
        if _worker_of(another, url) != _worker_of(one, url):
            break
    else:
        raise AssertionError("all connections went to one worker")
    # Whichever is asked tells of both, of the other as it was a second ago.
    end = time.monotonic() + PATIENCE
    while not _requests_in_all(one) == _requests_in_all(another) == asked:
        assert time.monotonic() < end

    assert one.delete(f"{on_postgresql.path}/api-keys/{key['id']}/", headers=bearer).status_code == 204
    assert another.get(f"{on_postgresql.path}/datasets/", headers=bearer).status_code == 401
    assert one.get(f"{on_postgresql.path}/datasets/", headers=bearer).status_code == 401

    sql(postgresql_url, "UPDATE change_head SET bound_ms = 2000")
    with ThreadPoolExecutor() as pool:
        path = f"{on_postgresql.path}/api-keys/{other['id']}/"
        deleting = pool.submit(one.delete, path, headers={"Authorization": f"Bearer {other['token']}"})
        end = time.monotonic() + PATIENCE
        while not sql(postgresql_url, f"SELECT 1 FROM api_keys WHERE id = '{other['id']}' AND revoked_at IS NOT NULL"):
            assert time.monotonic() < end
        assert server.stop(signal.SIGTERM) == 0
        assert deleting.result().status_code == 204

    log = server.log()
    started = [line["event"] for line in log if line["event"].startswith("Started server process")]
    assert len(started) == 2
    requests = [line for line in log if line["event"] == "request"]
    assert len(requests) > 5
    assert {"dead", "revoked"} & {line["cause"] for line in requests if line["status"] == 401}
    text = server.err.read_text()
    assert not [secret for secret in (key["token"], other["token"], SECRET) if secret in text or secret[-20:] in text]
    assert server.out.read_text() == ""


def test_what_was_acknowledged_is_there_after_kill_9(
    on_one_file: Account, start: Callable[..., Server], sqlite_url: str
) -> None:
    token = on_one_file.new_key()["token"]
    server = start("serve", "--port", "0", **on_one_file.environment)
    url = server.base_url()
    acknowledged: list[str] = []

    def write() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE) as client:
            for number in range(100_000):
                try:
                    answer = client.post(
                        f"{on_one_file.path}/datasets/", json={"name": f"n{number}", "description": "d"}
                    )
                except httpx.TransportError:
                    return
                assert answer.status_code == 201
                acknowledged.append(answer.json()["id"])

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    end = time.monotonic() + PATIENCE
    while len(acknowledged) < 50:
        assert time.monotonic() < end
        time.sleep(0.001)
    server.kill()
    for writer in writers:
        writer.join()
    rows = sql(sqlite_url, "SELECT id, name, description FROM datasets")
    assert {row[0] for row in rows} >= set(acknowledged)
    # One that nobody was told of is there whole or not at all.
    assert all(name.startswith("n") and description == "d" for _, name, description in rows)
    assert sql(sqlite_url, "PRAGMA integrity_check") == [("ok",)]


def test_workers_do_not_outlive_their_parent(on_one_file: Account, start: Callable[..., Server]) -> None:
    server = start("serve", "--port", "0", "--workers", "2", **on_one_file.environment)
    url = server.base_url()
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(PATIENCE)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            os.killpg(server.process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")


def test_a_worker_whose_settings_became_bad_tells_why(
    on_sqlite: Command, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It ends with the status that makes its parent give up, instead of a new one every half second."""
    del on_sqlite
    monkeypatch.setenv("KEYHOUSE_TYPO", "1")
    with pytest.raises(SystemExit) as leaving:
        serve.application()
    assert leaving.value.code == STARTUP_FAILURE
    told = json.loads(capfd.readouterr().err)
    assert (told["event"], told["level"]) == ("server.misconfigured", "critical")
    assert "KEYHOUSE_TYPO" in told["why"]
