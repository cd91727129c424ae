"""`revoke/` (RFC 7009), `introspect/` (RFC 7662) and the public keys."""

import jwt
import pytest

from keyhouse.conformance import expect, forgery
from keyhouse.conformance.answer import Answer
from keyhouse.conformance.api import AUTH, Api
from keyhouse.conformance.fixtures import Key

pytestmark = pytest.mark.contract("3")

_ACTIVE = ("active", "scope", "sub", "company_id", "jti", "iat", "exp", "iss", "aud", "token_use")
_JWKS = "/.well-known/jwks.json"


def _revoke(api: Api, token: str) -> Answer:
    return api.patiently(lambda: api.send("POST", f"{AUTH}/revoke/", form={"token": token}))


def check_revoke_of_anything(api: Api) -> None:
    """A text that is no token is 200 all the same (RFC 7009 section 2.2)."""
    expect.status(_revoke(api, "not-a-token"), 200)


def check_revoke_without_token(api: Api) -> None:
    """Without a token it is told that one is required."""
    form = {"token_type_hint": "access_token"}
    expect.invalid(api.patiently(lambda: api.send("POST", f"{AUTH}/revoke/", form=form)), ("required", "token"))


def check_forged_token_revokes_nothing(api: Api) -> None:
    """A forged token is 200 and does nothing to the key whose id it names."""
    key = api.new_key()
    expect.status(_revoke(api, forgery.altered_signature(key["token"])), 200)
    expect.status(api.send("GET", api.datasets, token=key["token"]), 200)


def check_revoke(api: Api, access: str) -> None:
    """The token of a key that is handed in is dead, and its key stands as revoked."""
    key = api.new_key()
    expect.status(_revoke(api, key["token"]), 200)
    expect.invalid_token(api.send("GET", api.datasets, token=key["token"]))
    answer = api.send("GET", f"{api.api_keys}{key['id']}/", token=access)
    expect.same(answer.asked, "status", "revoked", answer.get("status"))


def check_revoke_of_an_access_token(api: Api) -> None:
    """An access token that is handed in is dead."""
    token = api.session()["access_token"]
    expect.status(_revoke(api, token), 200)
    expect.invalid_token(api.send("GET", f"{AUTH}/me/", token=token))


@pytest.fixture(scope="module")
def inspector(api: Api, is_admin: bool) -> Key:
    """An API key that may introspect others."""
    # The contract gives `tokens:introspect` to admins alone: a member's run says what it could not see.
    if not is_admin:
        pytest.skip("the user is a member: it takes an admin to make a key with tokens:introspect")
    return api.new_key(scopes=["tokens:introspect"])


def _introspect(api: Api, inspector: Key, token: str) -> Answer:
    return api.send("POST", f"{AUTH}/introspect/", token=inspector["token"], form={"token": token})


def check_introspect(api: Api, inspector: Key, key: Key) -> None:
    """A live key of the company is told in full."""
    answer = _introspect(api, inspector, key["token"])
    body = expect.fields(answer, 200, _ACTIVE)
    claims = forgery.parts(key["token"])[1]
    expect.same(answer.asked, "active", True, body["active"])  # noqa: FBT003 - the value that is expected
    for name in ("sub", "company_id", "jti", "iat", "exp", "iss", "aud", "token_use"):
        expect.same(answer.asked, name, claims.get(name), body[name])
    expect.same(answer.asked, "scope", set(key["scopes"]), set(str(body["scope"]).split()))


@pytest.mark.parametrize("what", ["garbage", "a revoked key", "a forged key", "an access token"])
def check_inactive(api: Api, inspector: Key, key: Key, dead: Key, what: str) -> None:
    """Anything else is {"active": false} and no more."""
    token = {
        "garbage": "not-a-token",
        "a revoked key": dead["token"],
        "a forged key": forgery.altered_signature(key["token"]),
        "an access token": api.access,
    }[what]
    answer = expect.status(_introspect(api, inspector, token), 200)
    expect.same(answer.asked, "the body", {"active": False}, answer.json())


@pytest.mark.parametrize("who", ["a key without the scope", "a user"])
def check_introspect_takes_the_scope(api: Api, access: str, key: Key, who: str) -> None:
    """Who lacks tokens:introspect may not introspect."""
    token = access if who == "a user" else key["token"]
    answer = api.send("POST", f"{AUTH}/introspect/", token=token, form={"token": key["token"]})
    expect.refusal(answer, 403, "permission_denied", extra={"required_scopes": ["tokens:introspect"]})


def check_jwks(api: Api, key: Key) -> None:
    """The public keys are those that verify the tokens; there are none with HS256."""
    answer = api.send("GET", _JWKS)
    keys = expect.fields(answer, 200, ("keys",))["keys"]
    header = forgery.parts(key["token"])[0]
    if header.get("alg") == "HS256":
        expect.same(answer.asked, "keys", [], keys)
        return
    own = [found for found in keys if found.get("kid") == header.get("kid")]
    expect.same(answer.asked, "keys of this kid", 1, len(own))
    expect.none_of(answer.asked, "a public key", ("d", "k", "p", "q"), own[0])
    try:
        public = jwt.PyJWK(own[0], header["alg"]).key
        jwt.decode(key["token"], public, algorithms=[header["alg"]], options={"verify_aud": False})
    except jwt.PyJWTError as error:
        expect.that(None, answer.asked, "a key that verifies the tokens", type(error).__name__)
