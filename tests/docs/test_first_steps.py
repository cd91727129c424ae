"""The first commands of the README and of `docs/getting-started.md`, as a newcomer types them."""

import json
import subprocess
import sys
from pathlib import Path

import httpx

from support.fences import environment, files, run, shown
from support.site import ROOT

PAGE = "getting-started.md"
ADDRESS = "http://127.0.0.1:8000"


def test_make_dev() -> None:
    """Dry, since it would install: what it starts is what the other tests start."""
    (command,) = shown(PAGE, under="1. Start a server")
    assert command == "make dev\n"
    planned = subprocess.run(
        ["make", "--dry-run", "dev"], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )
    assert planned.stdout.splitlines()[-1].split() == [".venv/bin/keyhouse", "dev"]


def test_the_readme_s_first_lines(dev: dict[str, str], tmp_path: Path) -> None:
    start, curl = shown("README.md")[:2]
    assert start == "make dev\n"
    assert ADDRESS in curl
    env = environment(API_KEY=dev["api_key"], COMPANY_ID=dev["company_id"])
    script = curl.replace(ADDRESS, dev["base_url"]).replace("curl ", "curl --silent ")
    assert len(json.loads(run(script, tmp_path, env))["results"]) == 3


def test_the_first_key(dev: dict[str, str], tmp_path: Path) -> None:
    """The page is clicked through by the tests of the page; here the key is made as it makes it."""
    with httpx.Client(base_url=f"{dev['base_url']}/api/v1/") as http:
        login = {"email": dev["email"], "password": dev["password"]}
        http.headers["Authorization"] = f"Bearer {http.post('auth/token/', json=login).json()['access_token']}"
        keys = f"companies/{dev['company_id']}/api-keys/"
        made = http.post(keys, json={"name": "mine", "expires_in": 86400}).json()

        (export,) = shown(PAGE, "text", under="2. Make a key")
        exports = export.replace("API_KEY=…", f"API_KEY={made['token']}").replace("ID=…", f"ID={dev['company_id']}")
        assert "…" not in exports
        (curl,) = shown(PAGE, under="3. Use it")
        curl = curl.replace(ADDRESS, dev["base_url"])
        assert json.loads(run(f"{exports}\n{curl}", tmp_path, environment()))["results"]

        for name, text in files(PAGE).items():
            (tmp_path / name).write_text(text.replace(ADDRESS, dev["base_url"]))
        program = f"{exports}\n{sys.executable} first_call.py"
        assert run(program, tmp_path, environment()).split("\n") == ["Web traffic", "Orders", "Customers", ""]

        assert http.delete(f"{keys}{made['id']}/").status_code == 204
    refused = subprocess.run(
        ["sh", "-eu", "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "this key is not good, or not any more: make another\n"
    assert '"invalid_token"' in run(f"{exports}\n{curl}", tmp_path, environment())
