"""docs/clients.md: each of its programs does what the page says, against a live server."""

import json
import logging
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from keyhouse.testing import KeyhouseServer
from keyhouse.testing.server import running
from support.snippets import Page, load, run

PAGE = Page("clients.md")


@pytest.fixture(scope="module")
def server(keyhouse_server: KeyhouseServer) -> KeyhouseServer:
    """With more datasets than one."""
    for name in ("Measurements", "Stations"):
        answer = httpx.post(
            f"{keyhouse_server.base_url}/api/v1/companies/{keyhouse_server.company_id}/datasets/",
            json={"name": name},
            headers={"Authorization": f"Bearer {keyhouse_server.api_key}"},
        )
        assert answer.status_code == 201
    return keyhouse_server


@pytest.fixture
def folder(server: KeyhouseServer, tmp_path: Path) -> Path:
    return PAGE.write(tmp_path, server.base_url)


def environment(server: KeyhouseServer, **more: str) -> dict[str, str]:
    return {"COMPANY_ID": server.company_id, "EMAIL": server.email, "PASSWORD": server.password, **more}


@pytest.fixture
def client(server: KeyhouseServer) -> Iterator[httpx.Client]:
    """With the server's key."""
    headers = {"Authorization": f"Bearer {server.api_key}"}
    with httpx.Client(base_url=f"{server.base_url}/api/v1/companies/{server.company_id}", headers=headers) as made:
        yield made


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long somebody wanted to sleep."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


@pytest.fixture
def throttled(tmp_path: Path) -> Iterator[KeyhouseServer]:
    """Lets one try at a password through in a minute, and that one has been made."""
    with running(tmp_path, settings={"KEYHOUSE_LOGIN_RATE": "1/minute"}) as made:
        login = {"email": made.email, "password": made.password}
        assert httpx.post(f"{made.base_url}/api/v1/auth/token/", json=login).status_code == 200
        yield made


def names(client: httpx.Client) -> list[str]:
    return [dataset["name"] for dataset in client.get("/datasets/").json()["results"]]


def test_first_steps_with_curl(folder: Path, server: KeyhouseServer, client: httpx.Client) -> None:
    done = run("sh", "-eu", "first_steps.sh", folder=folder, **environment(server))
    assert (done.returncode, done.stderr) == (0, "")
    assert [dataset["name"] for dataset in json.loads(done.stdout)["results"]] == names(client)


@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_first_steps(folder: Path, server: KeyhouseServer, client: httpx.Client, library: str) -> None:
    program = f"first_steps_{library}.py"
    done = run("python", "-W", "error", program, folder=folder, **environment(server))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == names(client)
    refused = run("python", program, folder=folder, **environment(server, PASSWORD="not the one, by far"))
    assert refused.returncode == 1
    assert "401" in refused.stderr


def test_requests_waits_as_it_is_told(
    throttled: KeyhouseServer, tmp_path: Path, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(throttled).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Exception, match="429"):
        load(PAGE.write(tmp_path, throttled.base_url) / "first_steps_requests.py")
    assert len(naps) == 2
    assert all(0 < nap <= 60 for nap in naps)


@pytest.fixture
def api(folder: Path) -> Any:
    return load(folder / "keyhouse_api.py")


def test_an_error_tells_code_and_field(api: Any, client: httpx.Client) -> None:
    made = api.call(client, "POST", "/datasets/", json={"name": "Short-lived"})
    assert api.call(client, "DELETE", f"/datasets/{made['id']}/") is None
    with pytest.raises(api.ApiError) as wrong:
        api.call(client, "POST", "/datasets/", json={"name": " "})
    assert (wrong.value.status, wrong.value.code, wrong.value.attr) == (400, "blank", "name")
    with pytest.raises(api.ApiError) as forbidden:
        api.call(client, "GET", "/audit-events/")
    assert (forbidden.value.code, forbidden.value.extra) == ("permission_denied", {"required_scopes": ["audit:read"]})


def test_too_many_tries_are_waited_for(throttled: KeyhouseServer, api: Any, naps: list[float]) -> None:
    login = {"email": throttled.email, "password": throttled.password}
    with httpx.Client(base_url=throttled.base_url) as client, pytest.raises(api.ApiError) as refused:
        api.call(client, "POST", "/api/v1/auth/token/", json=login)
    assert (refused.value.status, refused.value.code) == (429, "throttled")
    assert len(naps) == 2
    assert naps[-1] == pytest.approx(refused.value.extra["retry_after"], abs=1)


def test_an_outage_is_waited_for(api: Any, naps: list[float]) -> None:
    pending = [httpx.Response(503, headers={"Retry-After": "7"}), httpx.Response(200, json={"id": "1"})]
    transport = httpx.MockTransport(lambda _: pending.pop(0))
    with httpx.Client(base_url="http://keyhouse.test", transport=transport) as client:
        assert api.call(client, "GET", "/") == {"id": "1"}
    assert naps == [7]


def test_what_a_proxy_says_is_no_envelope(api: Any) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(502, html="<h1>Bad Gateway</h1>"))
    with (
        httpx.Client(base_url="http://keyhouse.test", transport=transport) as client,
        pytest.raises(httpx.HTTPStatusError),
    ):
        api.call(client, "GET", "/")


def test_a_long_list_is_listed_to_its_end(api: Any, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    call = api.call

    def short(*arguments: Any, params: dict[str, Any]) -> Any:
        asked.append(params.get("cursor"))
        return call(*arguments, params={**params, "limit": 1})

    monkeypatch.setattr(api, "call", short)
    assert [dataset["name"] for dataset in api.listed(client, "/datasets/")] == names(client)
    assert len(asked) == len(names(client)) > 1


def new_key(server: KeyhouseServer, seconds: int) -> dict[str, Any]:
    """A key that may rotate itself."""
    api = f"{server.base_url}/api/v1"
    made = httpx.post(
        f"{api}/companies/{server.company_id}/api-keys/",
        json={"name": "renewed", "expires_in": seconds, "scopes": ["datasets:read", "api_keys:rotate"]},
        headers={"Authorization": f"Bearer {server.token('access')}"},
    )
    return dict(made.raise_for_status().json())


def test_the_end_of_a_key_is_logged(api: Any, server: KeyhouseServer, caplog: pytest.LogCaptureFixture) -> None:
    made = new_key(server, 3600)
    headers = {"Authorization": f"Bearer {made['token']}"}
    with httpx.Client(base_url=f"{server.base_url}/api/v1", headers=headers) as client:
        caplog.set_level(logging.WARNING, api.__name__)
        api.call(client, "GET", "/auth/me/")
    assert caplog.messages == [f"The API key ends at {made['expires_at']}"]


@pytest.fixture
def cron(tmp_path: Path, server: KeyhouseServer) -> Any:
    """Runs the line of the crontab, in the folder of the key."""
    folder = PAGE.write(tmp_path, server.base_url, replacing={"90 * 86400": "86400"})
    command = (folder / "crontab").read_text().split(maxsplit=5)[5]
    *_, name = command.split()
    return SimpleNamespace(key=folder / name, run=lambda: run("sh", "-c", command, folder=folder))


def alive(server: KeyhouseServer, token: str) -> dict[str, Any] | None:
    answer = httpx.get(f"{server.base_url}/api/v1/auth/me/", headers={"Authorization": f"Bearer {token}"})
    return dict(answer.json()["credential"]) if answer.is_success else None


def test_a_key_that_ends_soon_is_renewed(cron: Any, server: KeyhouseServer) -> None:
    made = new_key(server, 86400)
    cron.key.write_text(made["token"])
    done = cron.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    renewed = cron.key.read_text()
    assert renewed != made["token"]
    assert stat.S_IMODE(cron.key.stat().st_mode) == 0o600
    assert [file.name for file in cron.key.parent.glob("*.new")] == []
    # Both live: the old one for an hour yet, since the new one was used.
    (successor, former) = alive(server, renewed), alive(server, made["token"])
    assert successor is not None
    assert former is not None
    assert former["expires_at"] < made["expires_at"]


def test_a_key_that_lives_for_long_is_left_alone(cron: Any, server: KeyhouseServer) -> None:
    made = new_key(server, 30 * 86400)
    cron.key.write_text(f"{made['token']}\n")
    assert cron.run().returncode == 0
    assert cron.key.read_text() == f"{made['token']}\n"


def test_a_lost_successor_is_a_failure_and_the_key_lives(cron: Any, server: KeyhouseServer) -> None:
    made = new_key(server, 86400)
    cron.key.write_text(made["token"])
    assert cron.run().returncode == 0
    cron.key.write_text(made["token"])
    again = cron.run()
    assert again.returncode == 1
    assert "409" in again.stderr
    assert alive(server, made["token"]) is not None
