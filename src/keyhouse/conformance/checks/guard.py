"""What the guard lets in, and how it refuses the rest."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from keyhouse.conformance import expect, forgery
from keyhouse.conformance.api import AUTH, COMPANIES, Api
from keyhouse.conformance.fixtures import Key

pytestmark = pytest.mark.contract("2")

_NONE = {
    "no header": None,
    "an empty one": "",
    "Basic": "Basic dXNlcjpwYXNzd29yZA==",
    "Token": "Token abc",
    "a scheme that only begins so": "Bearerish abc",
}
_NO_TOKENS = {
    "nothing after it": "",
    "garbage": "not-a-token",
    "two words": "not a-token",
    "dots alone": "..",
    "four parts": "a.b.c.d",
    "no base64": "!!!.???.***",
    "over 8 KiB": "x" * 8300,
}
_FORGED: dict[str, Callable[[str], str]] = {
    "an altered signature": forgery.altered_signature,
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "two parts": lambda token: token.rpartition(".")[0],
    "a longer life": lambda token: forgery.altered_claims(token, exp=4_000_000_000),
    "more scopes": lambda token: forgery.altered_claims(token, scope="api_keys:read audit:read tokens:introspect"),
    "another user": lambda token: forgery.altered_claims(token, sub=str(uuid.uuid4())),
    "alg none": forgery.unsigned,
    "alg None": lambda token: forgery.unsigned(token, "None"),
    "alg none, signed": lambda token: forgery.altered_header(token, alg="none"),
    "another alg": lambda token: forgery.altered_header(token, alg="HS512"),
    "an unknown kid": lambda token: forgery.altered_header(token, kid="kh-unknown"),
    "crit": lambda token: forgery.altered_header(token, crit=["exp"]),
    "a key of its own": lambda token: forgery.altered_header(token, jwk={"kty": "oct", "k": "AAAA"}),
    "padding": lambda token: f"{token}=",
    "something after it": lambda token: f"{token}.x",
    "claims missing": lambda token: forgery.by_nobody(forgery.parts(token)[0], {}),
}


@pytest.mark.parametrize("value", _NONE.values(), ids=_NONE)
def check_no_credentials(api: Api, value: str | None) -> None:
    """Without a Bearer token: 401 not_authenticated, and a challenge that names no error."""
    headers = [] if value is None else [("Authorization", value)]
    expect.refusal(api.send("GET", api.datasets, headers=headers), 401, "not_authenticated")


@pytest.mark.parametrize("text", _NO_TOKENS.values(), ids=_NO_TOKENS)
def check_no_token(api: Api, text: str) -> None:
    """Bearer with a text that is no token: 401, byte for byte."""
    headers = [("Authorization", f"Bearer {text}".rstrip())]
    expect.invalid_token(api.send("GET", api.datasets, headers=headers))


@pytest.mark.parametrize("forge", _FORGED.values(), ids=_FORGED)
def check_forged(api: Api, key: Key, forge: Callable[[str], str]) -> None:
    """An API key that was tampered with: 401, byte for byte."""
    expect.status(api.send("GET", api.datasets, token=key["token"]), 200)
    expect.invalid_token(api.send("GET", api.datasets, token=forge(key["token"])))


@pytest.mark.parametrize("name", ["an altered signature", "alg none", "a longer life"])
def check_forged_access(api: Api, access: str, name: str) -> None:
    """An access token that was tampered with: 401, byte for byte."""
    expect.invalid_token(api.send("GET", f"{AUTH}/me/", token=_FORGED[name](access)))


def check_two_headers(api: Api, key: Key) -> None:
    """Two Authorization headers: 401, byte for byte, however good they are."""
    both = [("Authorization", f"Bearer {key['token']}")] * 2
    expect.invalid_token(api.send("GET", api.datasets, headers=both))


def check_revoked(api: Api, dead: Key) -> None:
    """A revoked API key: 401, byte for byte."""
    expect.invalid_token(api.send("GET", api.datasets, token=dead["token"]))


def check_refresh_token(api: Api) -> None:
    """A text that is like a refresh token opens nothing: 401, byte for byte."""
    expect.invalid_token(api.send("GET", f"{AUTH}/me/", token="refresh-tokens-are-no-credentials"))  # noqa: S106 - no token


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def check_scheme(api: Api, key: Key, scheme: str) -> None:
    """The scheme is matched without case."""
    headers = [("Authorization", f"{scheme} {key['token']}")]
    expect.status(api.send("GET", api.datasets, headers=headers), 200)


@pytest.mark.parametrize("where", ["query", "cookie", "body", "another header"])
def check_header_alone(api: Api, key: Key, where: str) -> None:
    """A token anywhere but in the Authorization header is none."""
    token = key["token"]
    others: dict[str, dict[str, Any]] = {
        "query": {},
        "cookie": {"headers": [("Cookie", f"access_token={token}; token={token}; Authorization=Bearer {token}")]},
        "body": {"json": {"name": "x", "access_token": token}},
        "another header": {"headers": [("X-Api-Key", token), ("X-Authorization", f"Bearer {token}")]},
    }
    path = f"{api.datasets}?access_token={token}&token={token}" if where == "query" else api.datasets
    answer = api.send("POST" if where == "body" else "GET", path, **others[where])
    expect.refusal(answer, 401, "not_authenticated")


@pytest.mark.parametrize("who", ["user", "key"])
@pytest.mark.parametrize("route", ["", "datasets/", "api-keys/"])
def check_other_companies(api: Api, access: str, key: Key, who: str, route: str) -> None:
    """A company that is not there or is no id is 404, the same bytes in each case."""
    token = access if who == "user" else key["token"]
    nowhere = [str(uuid.uuid4()), "not-an-id", api.target.company_id.upper(), "%00", "..%2f"]
    if api.target.company_id.upper() == api.target.company_id:
        nowhere.remove(api.target.company_id)
    answers = [api.send("GET", f"{COMPANIES}/{company}/{route}", token=token) for company in nowhere]
    for answer in answers:
        expect.refusal(answer, 404, "not_found")
        expect.same(answer.asked, "the bytes", answers[0].text(), answer.text())


def check_missing_and_foreign(api: Api, access: str) -> None:
    """A thing that is not there and a company that is not there are 404 with the same bytes."""
    missing = api.send("GET", f"{api.datasets}{uuid.uuid4()}/", token=access)
    foreign = api.send("GET", f"{COMPANIES}/{uuid.uuid4()}/datasets/", token=access)
    expect.refusal(missing, 404, "not_found")
    expect.same(foreign.asked, "the bytes", missing.text(), foreign.text())


def check_scope(api: Api, reader: Key) -> None:
    """A scope that is lacking is 403, with the scope in extra and in the challenge."""
    expect.status(api.send("GET", api.datasets, token=reader["token"]), 200)
    answer = api.send("POST", api.datasets, token=reader["token"], json={"name": "x"})
    expect.refusal(
        answer,
        403,
        "permission_denied",
        extra={"required_scopes": ["datasets:write"]},
        challenge='Bearer realm="api", error="insufficient_scope", scope="datasets:write"',
    )


@pytest.mark.parametrize("scope", ["api_keys:read", "datasets:read"])
def check_other_scopes(api: Api, reader: Key, manager: Key, scope: str) -> None:
    """A scope opens what it names and nothing else."""
    token, path = (reader["token"], api.api_keys) if scope == "api_keys:read" else (manager["token"], api.datasets)
    answer = api.send("GET", path, token=token)
    expect.refusal(
        answer,
        403,
        "permission_denied",
        extra={"required_scopes": [scope]},
        challenge=f'Bearer realm="api", error="insufficient_scope", scope="{scope}"',
    )


@pytest.mark.parametrize(
    "route", ["POST api-keys/", "PATCH api-keys/<id>/", "POST auth/logout/", "POST auth/password/"]
)
def check_access_tokens_alone(api: Api, route: str) -> None:
    """Where an access token is asked for, an API key is 403."""
    key = api.new_key()
    method, _, where = route.partition(" ")
    path = {
        "api-keys/": api.api_keys,
        "api-keys/<id>/": f"{api.api_keys}{key['id']}/",
        "auth/logout/": f"{AUTH}/logout/",
        "auth/password/": f"{AUTH}/password/",
    }[where]
    body = {
        "api-keys/": {"name": "x", "expires_in": 3600},
        "api-keys/<id>/": {"name": "x"},
        "auth/password/": {"current_password": "wrong wrong wrong", "new_password": "a new and longer password"},
    }.get(where)
    answer = api.send(method, path, token=key["token"], json=body)
    expect.refusal(answer, 403, "permission_denied")
