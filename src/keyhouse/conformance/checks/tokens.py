"""Tokens: what is in them, and how they begin."""

from datetime import datetime
from typing import Any

import pytest

from keyhouse.conformance import expect, forgery
from keyhouse.conformance.api import AUTH, Api
from keyhouse.conformance.fixtures import Key

pytestmark = pytest.mark.contract("4")

_ALGORITHMS = {"HS256", "EdDSA", "ES256", "RS256"}
_COMMON = {"iss", "aud", "sub", "jti", "iat", "exp", "token_use", "scope"}
_API_KEY, _ACCESS = "an API key", "an access token"
_KINDS = pytest.mark.parametrize("kind", [_API_KEY, _ACCESS])


def _token(api: Api, key: Key, kind: str) -> str:
    return str(key["token"]) if kind == _API_KEY else api.access


@_KINDS
def check_header(api: Api, key: Key, kind: str) -> None:
    """The header has alg, kid and typ, in this order and nothing else, and kid begins with kh-."""
    token = _token(api, key, kind)
    header, _ = forgery.parts(token)
    expect.members("the token's header", header, ("alg", "kid", "typ"))
    expect.that(header["alg"] in _ALGORITHMS, "the token's header", "alg HS256, EdDSA, ES256 or RS256", header["alg"])
    expect.same("the token's header", "typ", "JWT", header["typ"])
    exact = f'{{"alg":"{header["alg"]}","kid":"kh-'
    text = forgery.header_text(token)
    expect.that(text.startswith(exact), "the token's header", f"a text that begins with {exact}", text)


def check_literal_prefix(api: Api, key: Key, reader: Key) -> None:
    """All tokens of one key have one header, letter by letter: a secret scanner's rule."""
    headers = {token.partition(".")[0] for token in (key["token"], reader["token"], api.access)}
    expect.same("the tokens", "different headers", 1, len(headers))


def check_claims_of_a_key(api: Api, key: Key) -> None:
    """The claims of an API key are those of the key."""
    _, claims = forgery.parts(key["token"])
    missing = sorted((_COMMON | {"company_id"}) - claims.keys())
    expect.same("the key's token", "missing claims", [], missing)
    expected = {
        "token_use": "api_key",
        "jti": key["id"],
        "company_id": api.target.company_id,
        "sub": key["created_by"]["id"],
        "iat": _seconds(key["created_at"]),
        "exp": _seconds(key["expires_at"]),
    }
    for name, value in expected.items():
        expect.same("the key's token", name, value, claims[name])
    expect.same("the key's token", "scope", set(key["scopes"]), set(str(claims["scope"]).split()))


def check_claims_of_an_access_token(api: Api) -> None:
    """The claims of an access token are those of its user and session, for as long as expires_in said."""
    log_in = api.first_log_in
    _, claims = forgery.parts(str(log_in.get("access_token")))
    missing = sorted((_COMMON | {"sid"}) - claims.keys())
    expect.same("the access token", "missing claims", [], missing)
    expect.same("the access token", "token_use", "access", claims["token_use"])
    expect.same("the access token", "exp less iat", log_in.get("expires_in"), claims["exp"] - claims["iat"])
    user = api.send("GET", f"{AUTH}/me/", token=api.access).get("user")
    expect.same("the access token", "sub", user.get("id"), claims["sub"])


@_KINDS
def check_types(api: Api, key: Key, kind: str) -> None:
    """Times are whole seconds, everything else is text."""
    _, claims = forgery.parts(_token(api, key, kind))
    for name in sorted(_COMMON & claims.keys()):
        right: Any = int if name in {"iat", "exp"} else str
        expect.that(
            type(claims[name]) is right, f"the token of {kind}", f"{name} of type {right.__name__}", claims[name]
        )


def check_ids_differ(api: Api, key: Key, reader: Key) -> None:
    """No two tokens have one jti."""
    found = [forgery.parts(token)[1].get("jti") for token in (key["token"], reader["token"], api.access)]
    expect.same("the tokens", "different jti", 3, len(set(found)))


def check_refresh_tokens_are_opaque(api: Api) -> None:
    """A refresh token tells nothing: it is no JWT."""
    token = str(api.first_log_in.get("refresh_token"))
    expect.that(token.count(".") != 2, "the refresh token", "an opaque text", "a JWT")


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())
