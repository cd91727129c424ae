"""Each token of `keyhouse_tokens` is let in or refused for the reason of its name, and for no other."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from keyhouse.testing import KeyhouseServer, KeyhouseTokens
from support.world import bearer

# What the log gives as the cause of each refusal, and the status.
REFUSED = {
    "expired": (401, "expired"),
    "revoked": (401, "revoked"),
    "not_yet_valid": (401, "not yet valid"),
    "wrong_signature": (401, "signature: InvalidSignatureError"),
    "alg_none": (401, "grammar"),
    "wrong_audience": (401, "claims: aud"),
    "malformed": (401, "grammar"),
    "other_company": (404, "company"),
}
LET_IN = ("valid", "access", "read_only")
INVALID = (
    b'{"type":"client_error","errors":[{"code":"invalid_token",'
    b'"detail":"The provided token is expired or invalid.","attr":null,"extra":null}]}'
)


class Client:
    """Asks the server, and looks into its log for why it said no."""

    def __init__(self, server: KeyhouseServer) -> None:
        self.server = server
        self.http = httpx.Client(base_url=f"{server.base_url}/api/v1")
        self.datasets = f"/companies/{server.company_id}/datasets/"
        self.api_keys = f"/companies/{server.company_id}/api-keys/"

    def get(self, path: str, token: str, request_id: str = "") -> httpx.Response:
        return self.http.get(path, headers={**bearer(token), "X-Request-ID": request_id or uuid4().hex})

    def cause(self, token: str) -> tuple[int, str | None]:
        request_id = uuid4().hex
        status = self.get(self.datasets, token, request_id).status_code
        while True:  # the line is written after the answer
            for line in self.server.log.read_text().splitlines():
                if request_id in line:
                    return status, json.loads(line)["cause"]

    def mended(self, token: str, **claims: Any) -> str:
        """The same claims but for these, as the server itself would sign them; None takes a claim out."""
        good = jwt.get_unverified_header(self.server.api_key)
        found = {**jwt.decode(token, options={"verify_signature": False}), **claims}
        return jwt.encode(
            {name: value for name, value in found.items() if value is not None},
            self.server.environment["KEYHOUSE_SECRET_KEY"],
            headers={"kid": good["kid"]},
            sort_headers=True,
        )

    def ids(self, status: str) -> set[str]:
        listed = self.get(f"{self.api_keys}?status={status}&limit=200", self.access).json()
        return {key["id"] for key in listed["results"]}

    @property
    def access(self) -> str:
        logged_in = {"email": self.server.email, "password": self.server.password}
        return str(self.http.post("/auth/token/", json=logged_in).json()["access_token"])


@pytest.fixture
def client(keyhouse_server: KeyhouseServer) -> Iterator[Client]:
    made = Client(keyhouse_server)
    yield made
    made.http.close()


def key_id(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


def test_every_kind_is_told_of() -> None:
    assert {name for name in vars(KeyhouseTokens) if not name.startswith("_")} == {*REFUSED, *LET_IN}


@pytest.mark.parametrize("kind", LET_IN)
def test_a_good_token_is_let_in(client: Client, keyhouse_tokens: KeyhouseTokens, kind: str) -> None:
    assert client.cause(getattr(keyhouse_tokens, kind)()) == (200, None)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_bad_token_is_refused_for_its_reason(client: Client, keyhouse_tokens: KeyhouseTokens, kind: str) -> None:
    token = getattr(keyhouse_tokens, kind)()
    assert client.cause(token) == REFUSED[kind]
    if kind != "other_company":
        assert client.get("/auth/me/", token).content == INVALID


@pytest.mark.parametrize(
    ("kind", "mended"),
    [
        ("not_yet_valid", {"nbf": None}),
        ("wrong_audience", {"aud": "keyhouse"}),
        ("wrong_signature", {}),
        ("alg_none", {}),
    ],
)
def test_nothing_else_is_the_matter_with_it(
    client: Client, keyhouse_tokens: KeyhouseTokens, kind: str, mended: dict[str, Any]
) -> None:
    assert client.cause(client.mended(getattr(keyhouse_tokens, kind)(), **mended)) == (200, None)


def test_an_expired_key_is_stored_and_only_its_time_is_over(client: Client, keyhouse_tokens: KeyhouseTokens) -> None:
    token, other = keyhouse_tokens.expired(), keyhouse_tokens.expired()
    assert {key_id(token), key_id(other)} <= client.ids("expired")
    end = int(time.time()) + 3600
    assert client.cause(client.mended(token, exp=end)) == (401, "expired")
    # Before the server has ever seen it, or it would know the key by heart.
    database = sqlite3.connect(client.server.environment["KEYHOUSE_DATABASE_URL"].removeprefix("sqlite:///"))
    with database:
        database.execute("UPDATE api_keys SET expires_at = ? WHERE id = ?", (end, key_id(other)))
    database.close()
    assert client.cause(other) == (401, "expired")
    assert client.cause(client.mended(other, exp=end)) == (200, None)


def test_a_revoked_key_stands_as_revoked(client: Client, keyhouse_tokens: KeyhouseTokens) -> None:
    assert key_id(keyhouse_tokens.revoked()) in client.ids("revoked")


def test_an_unsigned_token_is_the_attack_as_it_is_known(keyhouse_tokens: KeyhouseTokens) -> None:
    token = keyhouse_tokens.alg_none()
    assert jwt.get_unverified_header(token)["alg"] == "none"
    assert token.endswith(".")


def test_the_key_of_another_company_is_good_there(client: Client, keyhouse_tokens: KeyhouseTokens) -> None:
    token = keyhouse_tokens.other_company()
    other = client.get("/auth/me/", token).json()["credential"]["company_id"]
    assert other != client.server.company_id
    assert client.get(f"/companies/{other}/datasets/", token).status_code == 200


def test_a_read_only_key_lacks_nothing_but_the_right_to_write(client: Client, keyhouse_tokens: KeyhouseTokens) -> None:
    refused = client.http.post(client.datasets, headers=bearer(keyhouse_tokens.read_only()), json={"name": "x"})
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["extra"] == {"required_scopes": ["datasets:write"]}
    made = client.http.post(client.datasets, headers=bearer(keyhouse_tokens.valid()), json={"name": "x"})
    assert made.status_code == 201


def test_each_call_makes_a_fresh_one(client: Client, keyhouse_tokens: KeyhouseTokens) -> None:
    first, second = keyhouse_tokens.valid(), keyhouse_tokens.valid()
    deleted = client.http.delete(f"{client.api_keys}{key_id(first)}/", headers=bearer(first))
    assert deleted.status_code == 204
    assert client.cause(first) == (401, "revoked")
    assert client.cause(second) == (200, None)


def test_threads_take_turns(keyhouse_tokens: KeyhouseTokens) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: keyhouse_tokens.valid(), range(40)))
    assert len({key_id(token) for token in made}) == 40


async def test_a_coroutine_may_ask_for_them(client: Client, keyhouse_tokens: KeyhouseTokens) -> None:
    await asyncio.sleep(0)
    async with httpx.AsyncClient(base_url=client.http.base_url) as http:
        answer = await http.get(client.datasets, headers=bearer(keyhouse_tokens.expired()))
    assert answer.content == INVALID


def test_the_server_says_who_may_log_in(client: Client) -> None:
    me = client.get("/auth/me/", client.access).json()
    assert me["user"]["email"] == client.server.email
    assert [company["id"] for company in me["companies"]] == [client.server.company_id]
    assert me["companies"][0]["role"] == "admin"
    assert client.cause(client.server.api_key) == (200, None)


def test_what_a_failing_test_shows_has_no_secret(keyhouse_server: KeyhouseServer) -> None:
    shown = repr(keyhouse_server)
    assert keyhouse_server.base_url in shown
    for secret in (keyhouse_server.password, keyhouse_server.api_key, *keyhouse_server.environment.values()):
        assert secret == "keyhouse" or secret not in shown
