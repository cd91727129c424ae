"""`keyhouse dev`: of use at once, and the same at the next start."""

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from keyhouse.cli import demo
from keyhouse.cli.mistakes import Mistake
from support.commands import PATIENCE, Server, sql


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_two_first_starts_at_once_tell_of_one_company(start: Callable[..., Server], tmp_path: Path) -> None:
    """Contract section 7; and neither the environment nor `.env` has a say."""
    folder = tmp_path / "deep" / "data"
    servers = [
        start("dev", "--port", "0", "--json", "--data-dir", str(folder), KEYHOUSE_TYPO="1", KEYHOUSE_SECRET_KEY="short")
        for _ in range(2)
    ]
    told = [json.loads(server.line(server.out)) for server in servers]
    for mine in told:
        assert mine.keys() == {"base_url", "company_id", "email", "password", "api_key"}
        path = f"{mine['base_url']}/api/v1/companies/{mine['company_id']}/datasets/"
        answer = httpx.get(path, timeout=PATIENCE, headers={"Authorization": f"Bearer {mine['api_key']}"})
        assert (answer.status_code, len(answer.json()["results"])) == (200, 3)
        altered = mine["api_key"][:-2] + ("A" if mine["api_key"][-2] != "A" else "B") + mine["api_key"][-1]
        assert httpx.get(path, timeout=PATIENCE, headers={"Authorization": f"Bearer {altered}"}).status_code == 401
    same = [{name: mine[name] for name in ("company_id", "email", "password")} for mine in told]
    assert same[0] == same[1]
    logged_in = httpx.post(
        f"{told[0]['base_url']}/api/v1/auth/token/",
        timeout=PATIENCE,
        json={"email": same[0]["email"], "password": same[0]["password"], "session": "cookie"},
    )
    assert logged_in.status_code == 200
    # Over HTTP, a browser takes no other.
    assert "secure" not in logged_in.headers["set-cookie"].lower()

    assert [server.stop(signal.SIGTERM) for server in servers] == [0, 0]
    for server in servers:
        assert len(server.out.read_text().splitlines()) == 1
        assert not [line for line in server.err.read_text().splitlines() if "Traceback" in line or "error" in line[:20]]
    assert _mode(folder) == 0o700
    assert {path.name for path in folder.iterdir()} >= {"dev.json", "keyhouse.db"}
    assert {_mode(path) for path in folder.iterdir()} == {0o600}
    assert demo.prepare(folder).demo.model_dump(include={"company_id", "email", "password"}) == same[0]


def test_the_printed_curl_line_works_and_ctrl_c_is_no_failure(start: Callable[..., Server]) -> None:
    server = start("dev", "--port", "0", "--data-dir", "50% of #1? é")
    (server.folder / ".env").write_text("KEYHOUSE_DATABASE_URL=nonsense\n")
    server.line(server.out, "Ctrl-C stops")
    text = server.out.read_text()
    line = re.search(r"^curl .*$", text, re.MULTILINE)
    assert line is not None
    done = subprocess.run(["sh", "-c", f"{line[0]} -sS"], capture_output=True, text=True, check=True)
    assert [row["name"] for row in json.loads(done.stdout)["results"]] == ["Web traffic", "Orders", "Customers"]
    kept = json.loads((server.folder / "50% of #1? é" / "dev.json").read_text())
    for value in (kept["email"], kept["password"], kept["company_id"], kept["api_key"]):
        assert value in text
    assert kept["secret_key"] not in text
    assert server.stop(signal.SIGINT) == 0
    assert kept["api_key"] not in server.err.read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory, in whose path stands whatever a path may have."""
    return tmp_path / "50% of #1? é"


def test_a_dead_key_is_replaced_and_a_live_one_is_kept(folder: Path) -> None:
    first = demo.prepare(folder)
    assert demo.prepare(folder) == first
    url = first.settings.database_url.get_secret_value()
    tokens = {first.demo.api_key}
    for cause in ("revoked_at", "expires_at", "retires_at"):
        sql(url, f"UPDATE api_keys SET {cause} = 1")
        again = demo.prepare(folder)
        assert again.demo.model_dump(exclude={"api_key"}) == first.demo.model_dump(exclude={"api_key"})
        tokens.add(again.demo.api_key)
        assert demo.prepare(folder) == again
    assert len(tokens) == 4
    assert sql(url, "SELECT count(*) FROM datasets") == [(3,)]


def test_what_the_user_did_to_their_data_stays(folder: Path) -> None:
    url = demo.prepare(folder).settings.database_url.get_secret_value()
    sql(url, "DELETE FROM datasets")
    demo.prepare(folder)
    assert sql(url, "SELECT count(*) FROM datasets") == [(0,)]


def test_the_login_that_is_printed_works_again(folder: Path) -> None:
    url = demo.prepare(folder).settings.database_url.get_secret_value()
    before = sql(url, "SELECT password_hash FROM users")
    demo.prepare(folder)
    assert sql(url, "SELECT password_hash FROM users") == before
    sql(url, "UPDATE users SET password_hash = 'x', disabled_at = 1")
    demo.prepare(folder)
    [(password_hash, disabled_at)] = sql(url, "SELECT password_hash, disabled_at FROM users")
    assert password_hash.startswith("$argon2id$")
    assert disabled_at is None


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir(mode=0o755)
    demo.prepare(folder)
    assert _mode(folder) == 0o755
    assert {_mode(path) for path in folder.iterdir()} == {0o600}


def test_a_data_directory_that_is_none_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for bad, why in ((tmp_path / "file", "Not a directory"), (tmp_path / "file" / "below", "Not a directory")):
        with pytest.raises(Mistake, match=f"the data directory {bad}: {why}"):
            demo.prepare(bad)
    demo.prepare(folder)
    kept = folder / demo.KEPT
    whole = kept.read_text()
    kept.write_text(whole[:-10])
    with pytest.raises(Mistake, match=r"dev\.json is damaged: remove"):
        demo.prepare(folder)
    kept.unlink()
    with pytest.raises(Mistake, match="do not belong together: remove"):
        demo.prepare(folder)
    kept.write_text(whole)
    (folder / demo.DATABASE).write_text("no database")
    with pytest.raises(Mistake, match="file is not a database"):
        demo.prepare(folder)
