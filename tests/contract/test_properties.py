"""Properties that hold for whatever is sent: no token is let in but the one that was signed, no body is a 5xx."""

import base64
import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyhouse.errors import Failure
from keyhouse.gate import bearer
from keyhouse.tokens import Codec, KeyRing
from keyhouse.tokens.codec import TokenError
from keyhouse.tokens.keys import Key, generate_pem, key_from_pem, secret_key
from support import forgery
from support.callers import ALL_SCOPES, access, new_item
from support.envelope import check_conventions, errors_of
from support.operations import OPERATIONS, Operation
from support.world import SECRET, World

KEYS = {
    "HS256": secret_key(SECRET),
    **{name: key_from_pem(generate_pem(name).encode()) for name in ("EdDSA", "ES256")},  # type: ignore[arg-type]
}
quick = settings(max_examples=400, deadline=None, database=None)
over_http = settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

text = (
    st.text(max_size=20)
    | st.characters(categories=["Cs", "Cc"])
    | st.sampled_from(["\0", "\ud800", "x" * 101, "x" * 10_001])
)
scalar = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 65), 1 << 65)
    | st.floats()
    | text
    | st.sampled_from(
        ["2099-01-01T00:00:00Z", "2099-01-01", 3600, -1, 1 << 53, "datasets:read", "admin@example.com", "cookie"]
    )
)
value = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=8
)


def codec_of(key: Key) -> Codec:
    return Codec(KeyRing.of(key), "keyhouse", "keyhouse")


@st.composite
def edited(draw: st.DrawFn, original: str) -> str:
    """The text after a few edits of single characters."""
    made = list(original)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(made) - 1))
        character = draw(st.sampled_from(string.ascii_letters + string.digits + "-_.=+/ \0\ud800é"))
        kind = draw(st.sampled_from(["replace", "insert", "delete", "double", "swap"]))
        if kind == "replace":
            made[at] = character
        elif kind == "insert":
            made.insert(at, character)
        elif kind == "delete":
            del made[at]
        elif kind == "double":
            made.insert(at, made[at])
        else:
            made[at], made[-1] = made[-1], made[at]
    return "".join(made)


@pytest.mark.parametrize("algorithm", KEYS)
@quick
@given(data=st.data())
def test_no_edit_of_a_token_is_a_token(algorithm: str, data: st.DataObject) -> None:
    codec = codec_of(KEYS[algorithm])
    claims = forgery.claims()
    original = codec.encode(claims)
    token = data.draw(edited(original))
    try:
        assert codec.decode(token) == claims
    except TokenError:
        assert token != original
    else:
        assert token == original


@quick
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")) | st.text("eyJ.-_=", min_size=1))
def test_no_text_is_a_token(anything: str) -> None:
    for key in KEYS.values():
        with pytest.raises(TokenError):
            codec_of(key).decode(anything)


@quick
@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=80))
def test_no_bytes_in_the_form_of_a_token_are_one(head: bytes, payload: bytes, signature: bytes) -> None:
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (head, payload, signature))
    for key in KEYS.values():
        with pytest.raises(TokenError):
            codec_of(key).decode(token)


@quick
@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jku", "b64", "zip"]) | text, value, max_size=4))
def test_a_header_with_anything_in_it_is_refused_or_ours(more: dict[str, Any]) -> None:
    key = KEYS["HS256"]
    token = forgery.signed({**forgery.header(key), **more}, forgery.claims().payload(), key)
    if {**forgery.header(key), **more} == forgery.header(key):
        codec_of(key).decode(token)
    else:
        with pytest.raises(TokenError):
            codec_of(key).decode(token)


@quick
@given(data=st.data())
def test_claims_are_refused_or_of_their_types(data: st.DataObject) -> None:
    """Whatever our own key has signed."""
    key = KEYS["HS256"]
    payload: dict[str, Any] = dict(forgery.claims().payload())
    name = data.draw(st.sampled_from([*payload, "nbf", "company_id"]))
    payload[name] = data.draw(value)
    try:
        claims = codec_of(key).decode(forgery.signed(forgery.header(key), payload, key))
    except TokenError:
        return
    for time in (claims.iat, claims.exp, claims.nbf or 1):
        assert type(time) is int
        assert 0 < time < 1 << 53
    for told in (claims.iss, claims.aud, claims.sub, claims.jti, claims.scope, claims.sid):
        assert isinstance(told, str)
        told.encode("ascii")


@quick
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"authorization", b"cookie"]),
            st.binary(max_size=40) | st.binary(max_size=20).map(b"Bearer ".__add__),
        ),
        max_size=3,
    )
)
def test_a_header_gives_one_text_or_none(headers: list[tuple[bytes, bytes]]) -> None:
    given_here = [value for name, value in headers if name == b"authorization"]
    try:
        token = bearer.token(bearer.header(headers))
    except Failure:
        return
    assert len(given_here) == 1
    assert given_here[0].lower().startswith(b"bearer")
    assert token in given_here[0]


FIELDS = ["name", "description", "expires_at", "expires_in", "scopes", "overlap", "email", "password", "refresh_token"]
FIELDS += ["current_password", "new_password", "session", "id", "status"]
fields = st.dictionaries(st.sampled_from(FIELDS) | text, value | st.lists(st.sampled_from(ALL_SCOPES)), max_size=5)
TAKING_JSON = [one for one in OPERATIONS if one.body is not None and not one.form]


def as_json(body: Any) -> bytes:
    """With NaN, lone surrogates and integers of any size, as the standard library writes them."""
    return json.dumps(body).encode()


@pytest.mark.parametrize("operation", TAKING_JSON, ids=str)
@over_http
@given(body=(fields | value).map(as_json) | st.binary(max_size=100))
async def test_no_body_is_a_server_error(shared: World, operation: Operation, body: bytes) -> None:
    item = await new_item(shared, operation.item)
    path = operation.path.replace("{company_id}", shared.company.id).replace(f"{{{operation.item}}}", item)
    who = await access(shared, shared.admin)
    answer = await shared.request(
        operation.method, path, who, content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code < 500
    check_conventions(answer)
    if not answer.is_success:
        errors_of(answer)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.form], ids=str)
@over_http
@given(body=st.binary(max_size=200) | st.binary(max_size=50).map(b"token=".__add__))
async def test_no_form_is_a_server_error(shared: World, operation: Operation, body: bytes) -> None:
    made = await shared.new_key(scopes=["tokens:introspect"])
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Bearer {made['token']}"}
    answer = await shared.request("POST", operation.path, headers, content=body)
    assert answer.status_code in {200, 400}
    check_conventions(answer)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.method == "GET"], ids=str)
@over_http
@given(
    query=st.lists(
        st.tuples(
            st.sampled_from(["limit", "cursor", "status", "scope", "company", "company_id"]) | text,
            text | st.integers().map(str),
        ),
        max_size=3,
    )
)
async def test_no_query_is_a_server_error(shared: World, operation: Operation, query: list[tuple[str, str]]) -> None:
    item = await new_item(shared, operation.item)
    path = operation.path.replace("{company_id}", shared.company.id).replace(f"{{{operation.item}}}", item)
    params = [(name.encode("utf-8", "replace"), told.encode("utf-8", "replace")) for name, told in query]
    answer = await shared.request("GET", path, await access(shared, shared.admin), params=params)
    assert answer.status_code < 500
    check_conventions(answer)
    if not answer.is_success:
        errors_of(answer)
