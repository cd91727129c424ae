"""The plugin in projects of other people, whatever they have made of pytest."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import jwt
import pytest

from keyhouse.testing.server import StartError, running
from support.projects import Project
from support.world import SECRET

_HEAVY = "{'fastapi', 'starlette', 'sqlalchemy', 'httpx', 'pydantic', 'uvicorn', 'jwt', 'cryptography', 'alembic'}"

_MADE_OF = "alembic.command, fastapi, pydantic_settings, sqlalchemy.ext.asyncio, structlog, uvicorn"

# A project that has decided everything otherwise.
_INI = """
[pytest]
python_files = check_*.py
python_functions = check_*
python_classes = Checks
addopts = -p no:cacheprovider --strict-markers --import-mode=importlib
filterwarnings = error
asyncio_mode = strict
asyncio_default_fixture_loop_scope = function
"""
_MINE = """
import json
import urllib.error
import urllib.request


def status(base_url, company_id, token):
    request = urllib.request.Request(f"{base_url}/api/v1/companies/{company_id}/datasets/")
    request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request) as answer:
            json.load(answer)
            return answer.status
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code
"""
_CHECKS = """
import asyncio
import unittest

import pytest

from mine import status


def check_plain(keyhouse_server, keyhouse_tokens):
    assert status(keyhouse_server.base_url, keyhouse_server.company_id, keyhouse_tokens.valid()) == 200


@pytest.mark.parametrize("kind", ["expired", "revoked", "alg_none"])
def check_refused(keyhouse_server, keyhouse_tokens, kind):
    assert status(keyhouse_server.base_url, keyhouse_server.company_id, getattr(keyhouse_tokens, kind)()) == 401


@pytest.mark.asyncio
async def check_on_asyncio(keyhouse_server, keyhouse_tokens):
    asked = keyhouse_server.base_url, keyhouse_server.company_id, keyhouse_tokens.valid()
    assert await asyncio.to_thread(status, *asked) == 200


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def check_on_anyio(keyhouse_server, keyhouse_tokens):
    asked = keyhouse_server.base_url, keyhouse_server.company_id, keyhouse_tokens.expired()
    assert await asyncio.to_thread(status, *asked) == 401


class ChecksOfUnittest(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _keyhouse(self, keyhouse_server, keyhouse_tokens):
        self.server, self.tokens = keyhouse_server, keyhouse_tokens

    def test_refused(self):
        self.assertEqual(status(self.server.base_url, self.server.company_id, self.tokens.revoked()), 401)
"""
_CONFTEST = """
import sys

import pytest

sys.path.insert(0, ".")


@pytest.fixture(autouse=True)
def noted(keyhouse_server):
    with open("servers", "a") as file:
        file.write(keyhouse_server.base_url + "\\n")
"""


def test_loading_it_imports_nothing_of_a_server() -> None:
    program = f"import sys, keyhouse.testing.plugin; print({_HEAVY} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_not_even_the_fixtures_do(project: Project) -> None:
    project.write(
        "test_light.py",
        f"""
        import sys

        def test_light(keyhouse_server, keyhouse_tokens):
            assert keyhouse_tokens.valid()
            assert not {_HEAVY} & sys.modules.keys()
        """,
    )
    ran = project.pytest_alone()
    assert ran.closing() == "1 passed", ran.out


def test_it_works_in_a_project_with_its_own_loop_ini_coverage_and_workers(project: Project) -> None:
    project.write("pytest.ini", _INI)
    project.write("mine.py", _MINE)
    project.write("check_all.py", _CHECKS)
    project.write("conftest.py", _CONFTEST)
    ran = project.pytest("-n", "2", "--cov=mine", "--cov-branch", "--cov-report=json")
    assert ran.closing() == "7 passed", ran.out
    assert len(set((project.folder / "servers").read_text().split())) == 2
    measured = json.loads((project.folder / "coverage.json").read_text())
    assert list(measured["files"]) == ["mine.py"]
    assert measured["files"]["mine.py"]["summary"]["percent_covered"] == 100
    assert list(project.folder.glob(".coverage.*")) == []


def test_the_projects_own_settings_are_none_of_the_servers(project: Project) -> None:
    (project.folder / ".env").write_text("KEYHOUSE_TYPO=1\nKEYHOUSE_LOGIN_RATE=1/day\n")
    project.write(
        "test_own.py",
        """
        def test_own(keyhouse_server, keyhouse_tokens):
            assert keyhouse_tokens.valid()
            assert keyhouse_server.environment["KEYHOUSE_DATABASE_URL"].startswith("sqlite:///")
        """,
    )
    theirs = {
        "KEYHOUSE_DATABASE_URL": "postgresql://production.example/db",
        "KEYHOUSE_SECRET_KEY": "short",
        "KEYHOUSE_TYPO": "1",
        "PYTHONWARNINGS": "error",
    }
    ran = project.pytest_alone(environment=theirs)
    assert ran.closing() == "1 passed", ran.out


def test_an_application_with_its_own_scopes_is_one_more_worker(project: Project) -> None:
    project.write(
        "service.py",
        """
        from typing import Annotated

        from fastapi import APIRouter, Security

        from keyhouse import Principal, guard

        SCOPES = {"reports:read": "Read reports", "reports:write": "Write reports"}
        router = APIRouter(prefix="/api/v1/companies/{company_id}/reports")

        @router.get("/")
        async def reports(who: Annotated[Principal, Security(guard, scopes=["reports:read"])]) -> list[str]:
            return sorted(who.scopes)
        """,
    )
    project.write(
        "test_service.py",
        """
        import pytest
        from fastapi.testclient import TestClient

        import service
        from keyhouse import create_app

        @pytest.fixture(scope="session")
        def keyhouse_scopes():
            return service.SCOPES

        @pytest.fixture(scope="session")
        def client(keyhouse_server):
            app = create_app(keyhouse_server.settings(), routers=[service.router], scopes=service.SCOPES)
            with TestClient(app, base_url=f"http://test/api/v1/companies/{keyhouse_server.company_id}/") as client:
                yield client

        def get(client, token):
            return client.get("reports/", headers={"Authorization": f"Bearer {token}"})

        def test_an_expired_token(client, keyhouse_tokens):
            assert get(client, keyhouse_tokens.expired()).status_code == 401

        def test_the_kinds(client, keyhouse_tokens):
            assert "reports:write" in get(client, keyhouse_tokens.valid()).json()
            assert get(client, keyhouse_tokens.read_only()).json() == ["datasets:read", "reports:read"]
            assert get(client, keyhouse_tokens.revoked()).status_code == 401
            assert get(client, keyhouse_tokens.other_company()).status_code == 404
        """,
    )
    ran = project.pytest_alone("-W", "error", "-W", "ignore:Using `httpx`")
    assert ran.closing() == "2 passed", ran.out


@pytest.mark.parametrize("arguments", [(), ("-p", "xdist", "-n", "1")])
def test_a_real_key_that_ends_soon_is_spoken_of_in_the_report(project: Project, arguments: tuple[str, ...]) -> None:
    project.write("test_nothing.py", "def test_nothing(): pass")
    key = jwt.encode({"exp": int(time.time()) + 3 * 86400 + 60}, SECRET)
    ran = project.pytest_alone(*arguments, environment={"KEYHOUSE_API_KEY": key})
    assert ran.status == 0
    assert ran.out.count("KEYHOUSE_API_KEY ends in 3 days, at ") == 1
    assert not any(part in ran.out for part in key.split("."))


def test_no_word_is_said_of_a_key_that_lives_on_or_is_none(project: Project) -> None:
    project.write("test_nothing.py", "def test_nothing(): pass")
    key = jwt.encode({"exp": int(time.time()) + 30 * 86400}, SECRET)
    assert "KEYHOUSE_API_KEY" not in project.pytest_alone(environment={"KEYHOUSE_API_KEY": key}).out
    assert "KEYHOUSE_API_KEY" not in project.pytest_alone().out


def test_a_server_that_does_not_start_is_one_sentence(project: Project) -> None:
    project.write(
        "test_bad.py",
        """
        import pytest

        @pytest.fixture(scope="session")
        def keyhouse_scopes():
            return {"two words": "which no scope may have"}

        def test_bad(keyhouse_server):
            pass
        """,
    )
    ran = project.pytest_alone()
    assert ran.status == 1
    assert "keyhouse_server is not there: ValueError: scope 'two words' is no scope token" in ran.out
    assert "Traceback" not in ran.out


def test_it_ends_with_the_tests_however_these_end(project: Project) -> None:
    project.write(
        "test_killed.py",
        """
        import os, signal

        def test_killed(keyhouse_server):
            open("server", "w").write(keyhouse_server.base_url)
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert project.pytest_alone().status == -signal.SIGKILL
    address = (project.folder / "server").read_text()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            httpx.get(f"{address}/healthz")
        except httpx.TransportError:
            return
    raise AssertionError(f"{address} still answers")


def _work(doing: Callable[[], object]) -> float:
    """Seconds of the processor that the processes it starts and ends take: the least of three, as others use it."""

    def spent() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    took = []
    for _ in range(3):
        before = spent()
        doing()
        took.append(spent() - before)
    return min(took)


def test_a_server_costs_hardly_more_than_what_it_is_made_of(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`make bench` says in how many seconds it is up; this is the same on every machine."""

    def serve() -> None:
        with running(tmp_path_factory.mktemp("server")) as server:
            assert httpx.get(f"{server.base_url}/readyz").json()["status"] == "ok"

    def load() -> None:
        subprocess.run([sys.executable, "-c", f"import {_MADE_OF}"], check=True)

    assert _work(serve) < 3 * _work(load)


def test_it_loads_nothing_that_draws_on_a_terminal() -> None:
    program = [sys.executable, "-X", "importtime", "-m", "keyhouse.testing"]
    told = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stderr
    # A module that can't be had is told of as well, but then none of its parts is.
    loaded = set(re.findall(r"^import time:.*\| +(\w+)\.\w+$", told, re.MULTILINE))
    assert "structlog" in loaded
    assert not {"rich", "pygments"} & loaded


def test_it_says_that_it_is_gone(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        started = re.search(r"server process \[(\d+)\]", server.log.read_text())
        assert started is not None
        os.kill(int(started[1]), signal.SIGKILL)
        with pytest.raises(StartError, match=r"is not there: .*keyhouse\.log"):
            server.token("valid")
