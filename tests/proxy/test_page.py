"""The page's commands and snippets, run as they are written."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keyhouse.errors import unavailable
from keyhouse.http import envelope
from support.behind import PAGE, SITE, Nginx, Process, ask, block, blocks, replaced
from support.caddyfile import parse
from support.house import House, environment
from support.postgres import free_port
from support.world import SECRET


@pytest.mark.nginx
def test_the_calls_by_curl(house: House, nginx: Nginx) -> None:
    (calls,) = (found for found in blocks("sh") if found.startswith("curl "))
    variables = {"COMPANY_ID": house.company, "API_KEY": house.new_key()["token"], "CURL_CA_BUNDLE": nginx.certificate}
    calls = replaced(calls, {"curl ": f"curl -s --connect-to {SITE}:443:127.0.0.1:{nginx.port} "})
    called = subprocess.run(
        ["sh", "-euc", calls],
        env={**os.environ, **{name: str(value) for name, value in variables.items()}},
        capture_output=True,
        text=True,
        check=True,
    )
    passed, end = json.JSONDecoder().raw_decode(called.stdout)
    assert passed["company"] == house.company
    assert (
        re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "019f0c7e-…", json.dumps(passed, ensure_ascii=False))
        == block("text").strip()
    )
    assert called.stdout[end:] == block("json").strip()


def test_the_envelope_that_stands_in_for_keyhouse_is_its_own() -> None:
    own = unavailable("down")
    for_nginx = re.findall(r"return 503 '(.*)';", block("nginx"))
    for_caddy = parse(block("caddyfile")).one(SITE).one("handle_errors")
    assert for_nginx == [envelope.body(own).decode()]
    assert for_caddy.one("respond").words[1:] == [*for_nginx, "503"]
    assert for_caddy.of("header")[-1].words[1:] == ["Retry-After", own.headers["Retry-After"]]


@pytest.mark.parametrize(("option", "status"), [("--no-proxy-headers", 204), ("--proxy-headers", 403)])
def test_scopes_of_one_s_own(house: House, tmp_path: Path, option: str, status: int) -> None:
    """Served as the page says they are found; otherwise uvicorn hides the proxy from Keyhouse."""
    (tmp_path / "scopes.py").write_text(block("python"))
    (command,) = re.findall(r"`(uvicorn scopes:app [^`]*)`", PAGE)
    port = free_port()
    words = [*replaced(command, {"--no-proxy-headers": option}).split(), "--port", str(port)]
    settings = {"KEYHOUSE_DATABASE_URL": house.database_url, "KEYHOUSE_SECRET_KEY": SECRET, **environment()}
    with contextlib.closing(Process([sys.executable, "-m", *words], port, tmp_path, settings)) as serving:
        serving.wait_until_ready()
        sent = [
            ("Authorization", f"Bearer {house.log_in()}"),
            ("X-Original-URI", f"{house.base}/"),
            ("X-Forwarded-For", "192.0.2.1"),
        ]
        uri = "/api/v1/auth/verify/?company=uri&scope=invoices:read&scope=invoices:write"
        assert ask(port, "GET", uri, *sent).status == status


def test_every_block_is_spoken_for() -> None:
    """One in a language that no test reads would be a snippet that nobody ran."""
    languages = re.findall(r"^ *```(\w+)$", PAGE, re.MULTILINE)
    assert sorted(languages) == ["caddyfile", "json", "nginx", "python", "sh", "sh", "sh", "text", "yaml"]
