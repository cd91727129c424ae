"""`api-key` and `signing-key`."""

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from keyhouse.db.base import new_id
from keyhouse.tokens.keys import key_from_pem
from support.commands import Command, sql
from support.world import SECRET

EMAIL = "ada@example.com"
DAY = 86400


@pytest.fixture
def company(configured: Command) -> str:
    return _company(configured)


def _company(keyhouse: Command, role: str = "admin") -> str:
    """A company with one user."""
    company_id = str(keyhouse("company", "create", "Acme", "--json").json["id"])
    user = ("user", "create", EMAIL, "--company", company_id, "--role", role, "--password-stdin")
    assert keyhouse(*user, stdin="a long enough passphrase").status == 0
    return company_id


def _create(company_id: str, *more: str, expires_in: str = "30d", name: str = "ci") -> tuple[str, ...]:
    return (
        "api-key", "create", "--company", company_id, "--user", EMAIL, "--name", name, "--expires-in", expires_in, *more
    )  # fmt: skip


def test_a_key_is_created_as_the_api_does(configured: Command, database_url: str, company: str) -> None:
    made = configured(*_create(company), "--json").json
    claims: dict[str, Any] = jwt.decode(made["token"], SECRET, algorithms=["HS256"], audience="keyhouse")
    assert (claims["jti"], claims["company_id"]) == (made["id"], company)
    assert claims["exp"] - claims["iat"] == 30 * DAY
    assert made["scopes"] == ["datasets:read", "datasets:write"]
    assert (made["name"], made["created_by"]["email"], made["status"]) == ("ci", EMAIL, "active")
    assert made["hint"] == made["token"][-4:]
    assert datetime.fromisoformat(made["expires_at"]).timestamp() == claims["exp"]
    told = sql(database_url, "SELECT action, actor, target FROM audit_events ORDER BY id DESC LIMIT 1")
    assert told == [("api_key.created", "operator", f"api_key:{made['id']}")]


def test_scopes_are_those_that_are_named(on_sqlite: Command) -> None:
    company = _company(on_sqlite)
    scopes = ("--scope", "audit:read", "--scope", "datasets:read")
    assert on_sqlite(*_create(company, *scopes), "--json").json["scopes"] == ["datasets:read", "audit:read"]
    told = on_sqlite(*_create(company, *scopes)).said
    values = dict(re.split(r"  +", line, maxsplit=1) for line in told.splitlines())
    assert values["scopes"] == "datasets:read audit:read"
    assert values["created by"] == EMAIL
    assert values["token"].startswith("eyJ")


def test_a_member_gives_no_scope_of_an_admin(on_sqlite: Command, sqlite_url: str) -> None:
    company = _company(on_sqlite, "member")
    assert on_sqlite(*_create(company, "--scope", "api_keys:read")).status == 0
    assert "that takes an admin" in on_sqlite(*_create(company, "--scope", "audit:read")).mistake()
    assert len(sql(sqlite_url, "SELECT id FROM api_keys")) == 1


def test_mistakes_of_a_key_make_none(on_sqlite: Command, sqlite_url: str) -> None:
    company, other = _company(on_sqlite), new_id()
    for arguments, why in (
        (_create(company, "--scope", "datasets:fly"), "there is no scope 'datasets:fly': they are datasets:read, "),
        (_create(other), f"there is no company {other}"),
        ((*_create(company), "--user", "bob@example.com"), "there is no user bob@example.com"),
        (_create(company, expires_in="59s"), "--expires-in: Ensure this value is greater than or equal to 60."),
        (_create(company, expires_in="367d"), "--expires-in: Ensure this value is less than or equal to 31622400."),
    ):
        assert on_sqlite(*arguments).mistake().startswith(why)
    for arguments, why in (
        (_create(company, expires_in="30"), "a number with its unit is needed"),
        (_create(company, name="  "), "This field may not be blank."),
        (_create(company, name="x" * 101), "no more than 100 characters"),
        (_create("acme"), "not an id"),
        ((*_create(company), "--user", "nobody"), "not an e-mail address"),
        (_create(company)[:-2], "--expires-in"),
    ):
        assert why in on_sqlite(*arguments).mistake(2)
    on_sqlite("member", "remove", EMAIL, "--company", company)
    assert on_sqlite(*_create(company)).mistake() == f"{EMAIL} is no member of {company}"
    on_sqlite("member", "add", EMAIL, "--company", company)
    on_sqlite("user", "disable", EMAIL)
    assert on_sqlite(*_create(company)).mistake() == f"{EMAIL} is disabled: a key of theirs would be dead"
    assert sql(sqlite_url, "SELECT id FROM api_keys") == []


def test_a_key_needs_what_signs_it(on_sqlite: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    company = _company(on_sqlite)
    monkeypatch.delenv("KEYHOUSE_SECRET_KEY")
    assert "set KEYHOUSE_SECRET_KEY" in on_sqlite(*_create(company)).mistake()
    signing = tmp_path / "signing.pem"
    monkeypatch.setenv("KEYHOUSE_SIGNING_KEY_FILE", str(signing))
    assert on_sqlite(*_create(company)).mistake() == f"key file {signing}: No such file or directory"
    signing.write_text(on_sqlite("signing-key", "generate").said)
    token = on_sqlite(*_create(company), "--json").json["token"]
    assert jwt.get_unverified_header(token)["alg"] == "EdDSA"


def test_a_key_is_revoked_with_what_it_made_of_itself(configured: Command, database_url: str, company: str) -> None:
    first, second, other = [configured(*_create(company), "--json").json["id"] for _ in range(3)]
    sql(database_url, f"UPDATE api_keys SET replaces = '{first}', made_by_key = true WHERE id = '{second}'")
    for _ in range(2):
        assert first in configured("api-key", "revoke", first).said
        assert sql(database_url, "SELECT id FROM api_keys WHERE revoked_at IS NULL") == [(other,)]
        assert sorted(sql(database_url, "SELECT subject FROM changes WHERE kind = 'api_key'")) == [(first,), (second,)]
    told = sql(database_url, "SELECT target, actor FROM audit_events WHERE action = 'api_key.revoked' ORDER BY id")
    assert told == [(f"api_key:{first}", "operator"), (f"api_key:{second}", "operator")]
    assert configured("api-key", "revoke", company).mistake() == f"there is no API key {company}"


def test_keys_are_listed_with_those_that_end_soon(configured: Command, database_url: str, company: str) -> None:
    names = {"soon": "3d", "retiring": "60d", "later": "60d", "expired": "1d", "revoked": "1d"}
    ids = {
        name: configured(*_create(company, expires_in=t, name=name), "--json").json["id"] for name, t in names.items()
    }
    now = int(time.time())
    sql(database_url, f"UPDATE api_keys SET expires_at = {now - 5} WHERE id = '{ids['expired']}'")
    sql(database_url, f"UPDATE api_keys SET retires_at = {now + 3 * DAY} WHERE id = '{ids['retiring']}'")
    configured("api-key", "revoke", ids["revoked"])

    def listed(*more: str) -> list[str]:
        return [
            key["name"] for key in configured("api-key", "list", "--company", company, *more, "--json").json["results"]
        ]

    assert listed() == ["expired", "later", "retiring", "soon"]
    assert listed("--expiring-within", "14d") == ["retiring", "soon"]
    assert listed("--expiring-within", "1d") == []
    head, first, *_ = configured("api-key", "list", "--company", company).said.splitlines()
    assert head.split()[:3] == ["id", "name", "status"]
    assert first.split()[:3] == [ids["expired"], "expired", "expired"]
    assert EMAIL in first
    other = new_id()
    assert configured("api-key", "list", "--company", other).mistake() == f"there is no company {other}"


def test_a_list_has_no_end_at_a_page(on_sqlite: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    company = _company(on_sqlite)
    monkeypatch.setattr("keyhouse.cli.credentials._PAGE", 2)
    for name in "abcde":
        on_sqlite(*_create(company, name=name))
    listed = on_sqlite("api-key", "list", "--company", company, "--json").json["results"]
    assert [key["name"] for key in listed] == ["e", "d", "c", "b", "a"]


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_a_signing_key_is_one_of_its_algorithm(keyhouse: Command, algorithm: str) -> None:
    printed = [keyhouse("signing-key", "generate", "--algorithm", algorithm).said for _ in range(2)]
    keys = [key_from_pem(pem.encode()) for pem in printed]
    assert [key.algorithm for key in keys] == [algorithm] * 2
    assert keys[0].kid != keys[1].kid


def test_a_secret_is_one_that_serve_takes(on_sqlite: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = on_sqlite("signing-key", "generate", "--algorithm", "HS256").said.rstrip("\n")
    company = _company(on_sqlite)
    monkeypatch.setenv("KEYHOUSE_SECRET_KEY", secret)
    token = on_sqlite(*_create(company), "--json").json["token"]
    assert jwt.decode(token, secret, algorithms=["HS256"], audience="keyhouse")["iss"] == "keyhouse"
    assert "--algorithm" in on_sqlite("signing-key", "generate", "--algorithm", "none").mistake(2)
