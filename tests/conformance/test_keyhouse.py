"""Keyhouse keeps to its own contract, on either database and with either kind of key."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import httpx

import keyhouse.conformance
from keyhouse.conformance.report import SECTIONS
from keyhouse.conformance.runner import _CHECKS
from keyhouse.testing import KeyhouseServer
from keyhouse.testing.server import running
from keyhouse.tokens import keys
from support.conformance import Conformed, conform
from support.world import bearer

PACKAGE = Path(keyhouse.conformance.__file__).parent
SLOW = {
    "refresh.check_late_reuse",
    "expiry.check_expired",
    "expiry.check_status",
    "expiry.check_rotation",
    "throttling.check_throttled",
}
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{4,}|khr_")


def told(server: KeyhouseServer) -> dict[str, str]:
    names = ("base_url", "company_id", "email", "password")
    return {name: getattr(server, name) for name in names}


def ids(server: KeyhouseServer, path: str) -> set[str]:
    found = httpx.get(
        f"{server.base_url}/api/v1/companies/{server.company_id}/{path}", headers=bearer(server.token("access"))
    )
    return {item["id"] for item in found.json()["results"]}


def hostile(folder: Path) -> dict[str, str]:
    """Makes the folder a project that would let no check run, and answers an environment that would not, either."""
    (folder / "pytest.ini").write_text(
        "[pytest]\npython_files = none_*.py\npython_functions = none_*\naddopts = -k nothing --maxfail=1\n"
        "filterwarnings = error\ntestpaths = nowhere\n"
    )
    (folder / "conftest.py").write_text("raise RuntimeError('read')\n")
    (folder / "hostile.py").write_text("raise RuntimeError('read')\n")
    (folder / ".env").write_text("KEYHOUSE_TYPO=1\n")
    return {
        "PYTEST_ADDOPTS": "-k nothing -p hostile",
        "PYTEST_PLUGINS": "hostile",
        "PYTHONPATH": str(folder),
        "KEYHOUSE_TYPO": "1",
    }


def assert_passed(ran: Conformed) -> None:
    assert ran.of("failed") == set(), ran.out
    assert ran.of("skipped") == SLOW
    assert (ran.status, ran.err) == (0, "")
    assert len(ran.of("passed")) > 300
    assert {check.partition(".")[0] for check in ran.outcomes} == set(_CHECKS)
    assert not _TOKEN.search(ran.out)


def assert_reported(ran: Conformed) -> None:
    """A line for each check, a heading for each section, a reason for what was skipped, and the counts."""
    lines = ran.out.splitlines()
    assert sum(line.startswith("  pass  ") for line in lines) == len(ran.of("passed"))
    assert all(any(line == f"{number}. {name}" for line in lines) for number, name in SECTIONS.items())
    skipped = [line for line in lines if line.startswith("  skip")]
    assert len(skipped) == len(SLOW)
    assert all(line.endswith(": takes a minute: ask for it with --slow") for line in skipped)
    assert lines[-1].startswith(f"{len(ran.of('passed'))} passed, 0 failed, {len(SLOW)} skipped in ")


def assert_cleared_away(server: KeyhouseServer) -> None:
    assert len(ids(server, "api-keys/?limit=200&status=active")) == 1  # the server's own
    assert len(ids(server, "api-keys/?limit=200&status=revoked")) > 20
    assert ids(server, "datasets/?limit=200") == set()


# A run is dear, and is shared out to another process with each test that asks for it: one test for each.
def test_on_sqlite_with_a_secret_and_ten_log_ins_a_minute(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    environment = hostile(folder)
    with running(tmp_path, settings={"KEYHOUSE_LOGIN_RATE": "10/minute"}) as server:
        ran = conform(told(server), folder, environment=environment)
        assert_passed(ran)
        assert_reported(ran)
        assert "throttled: waiting" not in ran.out
        assert_cleared_away(server)


def test_on_postgresql_with_a_key_pair_and_a_revocation_that_is_waited_for(postgresql_url: str, tmp_path: Path) -> None:
    pem = tmp_path / "signing.pem"
    pem.write_text(keys.generate_pem("EdDSA"))
    settings = {"KEYHOUSE_DATABASE_URL": postgresql_url, "KEYHOUSE_SIGNING_KEY_FILE": str(pem)}
    with running(tmp_path, settings=settings) as server:
        assert_passed(conform(told(server), tmp_path))
        assert_cleared_away(server)


def test_each_check_says_what_it_checks_and_where_that_is_written() -> None:
    for name in _CHECKS:
        module = ast.parse((PACKAGE / "checks" / f"{name}.py").read_text())
        marks = [node for node in module.body if isinstance(node, ast.Assign) and "contract" in ast.unparse(node)]
        assert len(marks) == 1, name
        section = re.search(r"contract\('(\d)'\)", ast.unparse(marks[0]))
        assert section is not None, name
        assert section[1] in SECTIONS, name
        checks = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")]
        assert checks, name
        docstrings = [ast.get_docstring(check) or "" for check in checks]
        assert all(text.endswith(".") for text in docstrings), name
        assert len(set(docstrings)) == len(docstrings), name
    assert {path.stem for path in (PACKAGE / "checks").glob("*.py")} == {*_CHECKS, "__init__"}


def test_it_imports_none_of_the_servers_rooms() -> None:
    program = (
        "import pkgutil, sys, keyhouse.conformance as suite\n"
        "for found in pkgutil.walk_packages(suite.__path__, suite.__name__ + '.'): __import__(found.name)\n"
        "rooms = {name for name in sys.modules if name.startswith('keyhouse.')}\n"
        "print({name for name in rooms if not name.startswith('keyhouse.conformance')})\n"
        "print({'fastapi', 'starlette', 'sqlalchemy', 'pydantic'} & sys.modules.keys())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["set()", "set()"]
