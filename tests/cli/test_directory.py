"""`company`, `user` and `member`."""

import asyncio
from typing import Any

import pytest

from keyhouse.db.base import is_id, new_id
from keyhouse.directory.passwords import PasswordHashing
from support.commands import Command, sql

PASSWORD = "a long enough passphrase"
EMAIL = "ada@example.com"


def events(url: str) -> list[tuple[Any, ...]]:
    return sql(url, "SELECT action, actor FROM audit_events ORDER BY id")


def is_password(url: str, password: str) -> bool:
    async def ask() -> bool:
        hashing = PasswordHashing()
        right, _ = await hashing.verify(password, stored)
        hashing.close()
        return right

    stored = sql(url, "SELECT password_hash FROM users")[0][0]
    return asyncio.run(ask())


@pytest.fixture
def company(configured: Command) -> str:
    return str(configured("company", "create", "Acme", "--json").json["id"])


@pytest.fixture
def user(configured: Command, company: str) -> str:
    """A user who is a member of the company."""
    made = configured(
        "user", "create", EMAIL, "--company", company, "--role", "member", "--password-stdin", "--json", stdin=PASSWORD
    )
    return str(made.json["id"])


def test_a_company_is_created(configured: Command, database_url: str) -> None:
    made = configured("company", "create", "  Ada & Söhne ", "--json").json
    assert made.keys() == {"id", "name", "created_at"}
    assert is_id(made["id"])
    assert made["name"] == "Ada & Söhne"
    assert sql(database_url, "SELECT id, name FROM companies") == [(made["id"], "Ada & Söhne")]
    told = configured("company", "create", "Other").said
    assert [line.split()[0] for line in told.splitlines()] == ["id", "name", "created"]


def test_a_user_is_created_with_their_membership(configured: Command, database_url: str, company: str) -> None:
    arguments = ("user", "create", "Ada@EXAMPLE.com", "--company", company, "--role", "admin", "--password-stdin")
    made = configured(*arguments, "--json", stdin=f"{PASSWORD}\n").json
    assert made == {"id": made["id"], "email": EMAIL, "company_id": company, "role": "admin"}
    assert sql(database_url, "SELECT user_id, company_id, role FROM memberships") == [(made["id"], company, "admin")]
    assert events(database_url) == [("member.added", "operator")]
    assert is_password(database_url, PASSWORD)
    assert configured(*arguments, stdin=PASSWORD).mistake() == f"there is a user {EMAIL} already"


def test_a_user_may_belong_nowhere_and_is_a_member_unless_told_otherwise(
    configured: Command, database_url: str, company: str
) -> None:
    made = configured("user", "create", EMAIL, "--password-stdin", "--json", stdin=PASSWORD).json
    assert (made["company_id"], made["role"]) == (None, None)
    made = configured(
        "user", "create", "bob@example.com", "--company", company, "--password-stdin", "--json", stdin=PASSWORD
    ).json
    assert made["role"] == "member"
    assert sql(database_url, "SELECT role FROM memberships") == [("member",)]


def test_a_user_of_a_company_that_is_not_there_is_not_created(on_sqlite: Command, sqlite_url: str) -> None:
    other = new_id()
    done = on_sqlite("user", "create", EMAIL, "--company", other, "--password-stdin", stdin=PASSWORD)
    assert done.mistake() == f"there is no company {other}"
    assert sql(sqlite_url, "SELECT id FROM users") == []


def test_disabling_ends_sessions_and_enabling_brings_none_back(
    configured: Command, database_url: str, user: str
) -> None:
    sql(
        database_url,
        f"INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES ('s', '{user}', 1, 9999999999)",
    )
    assert EMAIL in configured("user", "disable", EMAIL).said
    assert sql(database_url, "SELECT disabled_at IS NULL, ended_at IS NULL FROM users, sessions") == [(False, False)]
    assert sql(database_url, "SELECT kind, subject FROM changes ORDER BY seq")[-1] == ("user", user)
    assert events(database_url)[1:] == [("session.ended", "operator")]
    assert EMAIL in configured("user", "disable", EMAIL).said
    assert EMAIL in configured("user", "enable", EMAIL).said
    assert sql(database_url, "SELECT disabled_at IS NULL, ended_at IS NULL FROM users, sessions") == [(True, False)]


def test_a_new_password_ends_sessions(configured: Command, database_url: str, user: str) -> None:
    sql(
        database_url,
        f"INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES ('s', '{user}', 1, 9999999999)",
    )
    assert (
        EMAIL in configured("user", "set-password", EMAIL, "--password-stdin", stdin="another long passphrase\r\n").said
    )
    assert is_password(database_url, "another long passphrase")
    assert sql(database_url, "SELECT ended_at IS NULL FROM sessions") == [(False,)]
    assert sql(database_url, "SELECT kind, subject FROM changes ORDER BY seq")[-1] == ("session", "s")


def test_a_membership_from_its_beginning_to_its_end(configured: Command, database_url: str, company: str) -> None:
    configured("user", "create", EMAIL, "--password-stdin", stdin=PASSWORD)
    made = configured("member", "add", EMAIL, "--company", company, "--role", "admin", "--json").json
    assert made == {"user_id": made["user_id"], "email": EMAIL, "company_id": company, "role": "admin"}
    again = configured("member", "add", EMAIL, "--company", company)
    assert again.mistake() == f"{EMAIL} is a member of {company} already"
    assert EMAIL in configured("member", "set-role", EMAIL, "--company", company, "--role", "member").said
    assert sql(database_url, "SELECT role FROM memberships") == [("member",)]
    assert EMAIL in configured("member", "remove", EMAIL, "--company", company).said
    assert sql(database_url, "SELECT role FROM memberships") == []
    told = [("member.added", "operator"), ("member.changed", "operator"), ("member.removed", "operator")]
    assert events(database_url) == told
    assert sql(database_url, "SELECT DISTINCT kind, subject FROM changes") == [("user", made["user_id"])]
    for change in ("remove", "set-role"):
        more = ("--role", "admin") if change == "set-role" else ()
        done = configured("member", change, EMAIL, "--company", company, *more)
        assert done.mistake() == f"{EMAIL} is no member of {company}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "disable", EMAIL),
        ("user", "enable", EMAIL),
        ("user", "set-password", EMAIL, "--password-stdin"),
        ("member", "add", EMAIL, "--company", "COMPANY"),
        ("member", "remove", EMAIL, "--company", "COMPANY"),
        ("member", "set-role", EMAIL, "--company", "COMPANY", "--role", "admin"),
    ],
)
def test_who_is_not_there_is_named(on_sqlite: Command, sqlite_url: str, arguments: tuple[str, ...]) -> None:
    company = on_sqlite("company", "create", "Acme", "--json").json["id"]
    done = on_sqlite(*(company if part == "COMPANY" else part for part in arguments), stdin=PASSWORD)
    assert done.mistake() == f"there is no user {EMAIL}"
    assert sql(sqlite_url, "SELECT seq FROM changes") == []


@pytest.mark.parametrize("change", ["add", "remove", "set-role"])
def test_a_company_that_is_not_there_is_named(on_sqlite: Command, change: str) -> None:
    on_sqlite("user", "create", EMAIL, "--password-stdin", stdin=PASSWORD)
    other, more = new_id(), ("--role", "admin") if change == "set-role" else ()
    done = on_sqlite("member", change, EMAIL, "--company", other, *more)
    assert done.mistake() == f"there is no company {other}"


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "Ensure this field has at least 15 characters."),
        ("fourteen chars", "Ensure this field has at least 15 characters."),
        ("x" * 257, "Ensure this field has no more than 256 characters."),
        ("passwordpassword", "too common"),
        (f"{PASSWORD}\nsecond line", "one line"),
        ("y" * 5000, "one line"),
        (b"\xff\xfe a long enough passphrase", "not UTF-8"),
    ],
)
@pytest.mark.parametrize("command", ["create", "set-password"])
def test_a_password_that_may_not_be_one_is_refused(
    keyhouse: Command, command: str, password: str | bytes, why: str
) -> None:
    assert why in keyhouse("user", command, EMAIL, "--password-stdin", stdin=password).mistake()


@pytest.mark.parametrize("command", ["create", "set-password"])
def test_a_password_is_never_an_argument(keyhouse: Command, command: str) -> None:
    assert "--password-stdin" in keyhouse("user", command, EMAIL, stdin=PASSWORD).mistake(2)
