"""Which payload is a token of ours: every claim present, of its type, and of one kind of token."""

import json
from typing import Any

import pytest

from keyhouse.db.base import new_id
from keyhouse.tokens import Claims, TokenUse
from keyhouse.tokens.claims import ClaimError, parse

ACCESS: dict[str, Any] = {
    "iss": "keyhouse",
    "aud": "keyhouse",
    "sub": new_id(),
    "jti": new_id(),
    "iat": 1_700_000_000,
    "exp": 1_700_000_900,
    "token_use": "access",
    "scope": "datasets:read datasets:write",
    "sid": new_id(),
}
API_KEY: dict[str, Any] = {**ACCESS, "token_use": "api_key", "company_id": new_id()}
del API_KEY["sid"]


def _parse(payload: dict[str, Any]) -> Claims:
    return parse(payload, "keyhouse", "keyhouse")


@pytest.mark.parametrize("payload", [ACCESS, API_KEY], ids=["access", "api_key"])
def test_what_was_encoded_is_what_is_parsed(payload: dict[str, Any]) -> None:
    claims = _parse(payload)
    assert claims.payload() == payload
    assert _parse(claims.payload()) == claims


def test_what_tokens_of_a_company_have_alike_is_held_once() -> None:
    first, second = (_parse(json.loads(json.dumps(API_KEY))) for _ in range(2))
    for name in ("iss", "aud", "sub", "scope", "company_id"):
        assert getattr(first, name) is getattr(second, name)


def test_the_credential_of_an_access_token_is_its_session_and_of_a_key_the_key() -> None:
    assert _parse(ACCESS).credential_id == ACCESS["sid"]
    assert _parse(API_KEY).credential_id == API_KEY["jti"]


@pytest.mark.parametrize("payload", [ACCESS, API_KEY], ids=["access", "api_key"])
def test_every_claim_is_required(payload: dict[str, Any]) -> None:
    for name in payload:
        rest = {key: value for key, value in payload.items() if key != name}
        with pytest.raises(ClaimError, match=name):
            _parse(rest)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", "keyhous"),
        ("iss", "keyhouse "),
        ("iss", ["keyhouse"]),
        ("iss", None),
        ("aud", "KEYHOUSE"),
        ("aud", ["keyhouse"]),
        ("aud", ["keyhouse", "other"]),
        ("aud", {"keyhouse": 1}),
        ("token_use", "refresh"),
        ("token_use", "API_KEY"),
        ("token_use", ["access"]),
        ("token_use", {}),
        ("token_use", None),
        ("sub", "01890a5d-ac96-774b-bcce-B302099a8057"),
        ("sub", "{01890a5d-ac96-774b-bcce-b302099a8057}"),
        ("sub", "01890a5dac96774bbcceb302099a8057"),
        ("sub", 7),
        ("sub", ""),
        ("jti", "not-an-id"),
        ("jti", None),
        ("sid", "01890a5d-ac96-774b-bcce-b302099a8057\n"),
        ("sid", ["x"]),
        ("scope", None),
        ("scope", ["datasets:read"]),
        ("scope", " datasets:read"),
        ("scope", "datasets:read  datasets:write"),
        ("scope", "a\tb"),
        ("scope", 'a"b'),
        ("scope", "a\\b"),
        ("scope", "d\u00e9"),
        ("iat", "1700000000"),
        ("iat", 1700000000.0),
        ("iat", True),
        ("iat", 0),
        ("iat", -1),
        ("exp", "9999999999"),
        ("exp", " 9_999_999_999 "),
        ("exp", "\u0661\u0662\u0663"),
        ("exp", 10**400),
        ("exp", 1 << 53),
        ("exp", True),
        ("exp", None),
        ("exp", float("inf")),
        ("nbf", "1700000000"),
        ("nbf", False),
        ("nbf", 0),
    ],
)
def test_a_claim_of_another_value_or_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ClaimError, match=name):
        _parse({**ACCESS, name: value})


@pytest.mark.parametrize("company_id", [None, 7, "", "x", "01890A5D-AC96-774B-BCCE-B302099A8057"])
def test_the_company_of_a_key_has_the_form_of_an_id(company_id: Any) -> None:
    with pytest.raises(ClaimError, match="company_id"):
        _parse({**API_KEY, "company_id": company_id})


def test_one_kind_of_token_is_never_the_other() -> None:
    """RFC 8725 section 3.12: the claims of one are not enough for the other."""
    with pytest.raises(ClaimError, match="company_id missing"):
        _parse({**ACCESS, "token_use": "api_key"})
    with pytest.raises(ClaimError, match="sid missing"):
        _parse({**API_KEY, "token_use": "access"})


def test_claims_of_the_other_kind_and_unknown_ones_are_ignored() -> None:
    both = _parse({**ACCESS, "company_id": new_id(), "admin": True, "roles": ["admin"]})
    assert both.token_use is TokenUse.ACCESS
    assert both.company_id is None


def test_the_widest_values_are_taken() -> None:
    claims = _parse({**ACCESS, "scope": "", "exp": (1 << 53) - 1, "nbf": 1})
    assert (claims.scope, claims.exp, claims.nbf) == ("", (1 << 53) - 1, 1)
    assert claims.payload()["nbf"] == 1
