"""The searches themselves: what they must find is planted, and found."""

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from keyhouse.tokens.keys import secret_key
from support.forgery import header, signed
from support.leaks import Secrets, leaks_below, leaks_in
from support.world import PASSWORD, SECRET

CONFTEST = Path(__file__).parents[1] / "conftest.py"
REFRESH = "khr_OVjArgjoUbieCQl1T6AKnVL1VejHbNQhMlomkO_8q1Y"
KEY = secret_key(SECRET)
TOKEN = signed(header(KEY), {"sub": "0199f7a1-0000-7000-8000-000000000000"}, KEY)
WORDS = 'canary "Passphrase" ü/+?'


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


@pytest.mark.parametrize(
    "planted",
    [
        TOKEN.encode(),
        TOKEN.split(".")[1].encode(),
        TOKEN.split(".")[2].encode(),
        decoded(TOKEN.split(".")[2]),
        decoded(TOKEN.split(".")[2]).hex().encode(),
        base64.b64encode(b"admin@example.com:" + TOKEN.encode()),
        REFRESH.encode(),
        REFRESH[4:].encode(),
        decoded(REFRESH[4:]),
        decoded(REFRESH[4:]).hex().upper().encode(),
        base64.b64encode(b"a:" + REFRESH.encode()),
        base64.urlsafe_b64encode(b"ab:" + REFRESH.encode()),
        WORDS.encode(),
        WORDS.encode().hex().encode(),
        quote(WORDS, safe="").encode(),
        json.dumps({"password": WORDS}).encode(),
        repr(WORDS.encode()).encode(),
        base64.b64encode(WORDS.encode()),
    ],
    ids=lambda planted: repr(planted)[:30],
)
def test_a_secret_is_found_in_every_form(planted: bytes) -> None:
    secrets = Secrets()
    secrets.add("one", TOKEN, REFRESH, WORDS)
    assert secrets.found_in(b"before " + planted + b" after") == {"one"}
    assert secrets.found_in(b"before " + planted[:8] + b" after") == set()


@pytest.mark.parametrize("leak", [TOKEN, REFRESH, PASSWORD, SECRET], ids=["token", "refresh", "password", "secret"])
def test_what_the_whole_suite_is_searched_for(leak: str, tmp_path: Path) -> None:
    file = tmp_path / "below" / "one.log"
    file.parent.mkdir()
    file.write_text(f'{{"event": "{leak}"}}\n')
    assert list(leaks_below(tmp_path, ["*.log"])) == [str(file)]
    # Planted on purpose, and no leak of the suite's.
    file.write_text("")
    assert leaks_below(tmp_path, ["*.log"]) == {}
    assert leaks_in(leak[: len(leak) // 4].encode()) == []


@pytest.mark.parametrize("when", ["stdout", "stderr", "log"])
def test_a_test_that_leaks_fails(request: pytest.FixtureRequest, when: str) -> None:
    plugin: Any = request.config.pluginmanager.get_plugin(str(CONFTEST))
    for written, outcome in (("nothing", "passed"), (f"request token={TOKEN}", "failed")):
        report = SimpleNamespace(passed=True, outcome="passed", longrepr=None, sections=[(f"Captured {when}", written)])
        wrapped = plugin.pytest_runtest_makereport(None, None)
        next(wrapped)
        with pytest.raises(StopIteration) as done:
            wrapped.send(report)
        assert done.value.value.outcome == outcome
