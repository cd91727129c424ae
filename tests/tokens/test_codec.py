"""From text to claims: one spelling, one algorithm per key, nothing before the signature."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyhouse.db.base import new_id
from keyhouse.tokens import Codec, Key, KeyRing, TokenUse
from keyhouse.tokens.codec import MAX_TOKEN_CHARACTERS, TokenError
from keyhouse.tokens.keys import Algorithm, generate_pem, key_from_pem, secret_key
from support.forgery import claims, encode, header, signed, signed_text
from support.world import SECRET

OTHER_SECRET = "another-9Hq2vLx7TzK4mWb8Rs1Yc6Nd3Jf5Gp0"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ALGORITHMS: tuple[Algorithm, ...] = ("HS256", "EdDSA", "ES256", "RS256")


def _fresh(algorithm: Algorithm, secret: str = SECRET) -> Key:
    return secret_key(secret) if algorithm == "HS256" else key_from_pem(generate_pem(algorithm).encode())


KEYS = {algorithm: _fresh(algorithm) for algorithm in ALGORITHMS}
HS256 = KEYS["HS256"]
CLAIMS = claims()


def _codec(*keys: Key) -> Codec:
    return Codec(KeyRing.of(*keys), "keyhouse", "keyhouse")


CODEC = _codec(HS256)
TOKEN = CODEC.encode(CLAIMS)


def _refused(text: str, why: str | None = None) -> None:
    with pytest.raises(TokenError, match=why) as caught:
        CODEC.decode(text)
    # The message is for the log, and no token gets there.
    assert len(str(caught.value)) < 60
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_was_signed_is_read_back(algorithm: Algorithm) -> None:
    codec = _codec(KEYS[algorithm])
    assert codec.decode(codec.encode(CLAIMS)) == CLAIMS


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_all_tokens_of_one_key_begin_with_one_literal_string(algorithm: Algorithm) -> None:
    key = KEYS[algorithm]
    literal = encode({"alg": algorithm, "kid": key.kid, "typ": "JWT"}) + "."
    for made in (CLAIMS, claims(token_use=TokenUse.API_KEY, sid=None, company_id=new_id()), claims(nbf=5)):
        assert _codec(key).encode(made).startswith(literal)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_all_tokens_of_one_algorithm_begin_alike_whatever_the_key(algorithm: Algorithm) -> None:
    """`kid` begins with `kh-`: a rule for secret scanners holds for deployments whose keys it can't know."""
    # The last character of an encoded beginning may hold bits of what follows.
    beginning = encode(f'{{"alg":"{algorithm}","kid":"kh-'.encode())[:-1]
    for key in (KEYS[algorithm], _fresh(algorithm, OTHER_SECRET)):
        assert _codec(key).encode(CLAIMS).startswith(beginning)


def test_a_header_in_another_order_is_the_same_header() -> None:
    named = header(HS256)
    assert (
        CODEC.decode(signed({name: named[name] for name in ("typ", "alg", "kid")}, CLAIMS.payload(), HS256)) == CLAIMS
    )


def test_every_key_of_the_ring_verifies_and_only_the_first_signs() -> None:
    ring = _codec(KEYS["EdDSA"], KEYS["RS256"], HS256)
    assert ring.decode(_codec(KEYS["RS256"]).encode(CLAIMS)) == CLAIMS
    assert ring.decode(TOKEN) == CLAIMS
    assert ring.encode(CLAIMS).startswith(encode(header(KEYS["EdDSA"])))


def test_a_key_that_left_the_ring_verifies_no_more() -> None:
    _refused(_codec(KEYS["EdDSA"]).encode(CLAIMS), "^kid$")


def test_a_token_of_another_secret_is_refused() -> None:
    foreign = Key(HS256.kid, "HS256", OTHER_SECRET.encode(), OTHER_SECRET.encode())
    _refused(signed(header(HS256), CLAIMS.payload(), foreign), "^signature: InvalidSignatureError$")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "a.b",
        "..",
        "a..c",
        TOKEN + "=",
        TOKEN + ".",
        TOKEN + ".x",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.replace(".", ". ", 1),
        TOKEN[:-1] + "+",
        TOKEN[:-1] + "/",
        TOKEN[:-1] + "\u0661",
        TOKEN[:-1] + "\ud800",
        TOKEN[:-1] + "\x00",
    ],
)
def test_what_is_not_three_base64url_segments_is_refused_by_its_grammar(text: str) -> None:
    _refused(text, "^grammar$")


def test_a_token_is_at_most_8_kib() -> None:
    _refused(CODEC.encode(claims(scope="x" * MAX_TOKEN_CHARACTERS)), "^too long$")
    _refused("a" * (MAX_TOKEN_CHARACTERS + 1), "^too long$")
    _refused("a" * MAX_TOKEN_CHARACTERS, "^grammar$")


def _spellings(segment: str) -> list[str]:
    """The other texts that decode to the same bytes: those with spare bits set."""
    spare = {0: 0, 2: 4, 3: 2}[len(segment) % 4]
    last = ALPHABET.index(segment[-1])
    return [segment[:-1] + ALPHABET[last ^ bits] for bits in range(1, 1 << spare)]


def test_the_signature_has_one_spelling() -> None:
    """A second text of one token would pass whatever remembers tokens by their text."""
    rest, _, signature = TOKEN.rpartition(".")
    others = _spellings(signature)
    assert others
    for other in others:
        _refused(f"{rest}.{other}", "^base64$")
    _refused(f"{rest}.AAAAA", "^base64$")


def test_the_header_has_one_spelling_too_even_under_a_good_signature() -> None:
    head, payload = encode({**header(HS256), "kid": HS256.kid}), encode(CLAIMS.payload())
    for other in (*_spellings(head), "AAAAA"):
        _refused(signed_text(f"{other}.{payload}", HS256), "^base64$")


def test_the_payload_has_one_spelling_too_even_under_a_good_signature() -> None:
    payload = json.dumps(CLAIMS.payload()).encode()
    while len(payload) % 3 != 1:
        payload += b" "
    others = _spellings(encode(payload))
    assert len(others) == 15
    for other in others:
        assert base64.urlsafe_b64decode(other + "==") == payload
        _refused(signed_text(f"{encode(header(HS256))}.{other}", HS256))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe{\x00}\x00",
        b'\xef\xbb\xbf{"iss":"keyhouse"}',
        b'{"iss":"\xff"}',
        b'{"a":' * 1200,
        json.dumps(CLAIMS.payload()).encode("utf-16"),
        b'{"exp":' + b"9" * 5000 + b"}",
    ],
)
def test_a_payload_that_is_no_json_object_in_utf_8_is_refused(payload: bytes) -> None:
    _refused(signed(header(HS256), payload, HS256))


def test_a_name_that_stands_twice_in_a_payload_is_refused() -> None:
    """One reader takes the first, another the last: RFC 7519 section 4 lets us refuse it."""
    payload = json.dumps(CLAIMS.payload())
    _refused(signed(header(HS256), payload.replace("{", '{"sub":"x",', 1).encode(), HS256), "^json$")
    _refused(signed(header(HS256), (payload[:-1] + ',"a":{"b":1,"b":2}}').encode(), HS256), "^json$")


def test_a_claim_that_is_not_ours_is_refused_by_name() -> None:
    _refused(CODEC.encode(claims(iss="evil")), "^claims: iss$")
    _refused(CODEC.encode(claims(aud="other")), "^claims: aud$")
    _refused(signed(header(HS256), {**CLAIMS.payload(), "exp": 1e9}, HS256), "^claims: exp$")


def test_whether_a_token_has_expired_is_not_for_the_codec_to_say() -> None:
    """The database's clock decides that, not this machine's."""
    past, future = claims(iat=1, exp=2), claims(nbf=1 << 40)
    assert CODEC.decode(CODEC.encode(past)) == past
    assert CODEC.decode(CODEC.encode(future)) == future


@settings(deadline=None)
@given(st.integers(0, len(TOKEN) - 1), st.sampled_from(ALPHABET + ".=+/ \x00\u0661"))
def test_no_token_with_another_character_is_read(position: int, character: str) -> None:
    text = TOKEN[:position] + character + TOKEN[position + 1 :]
    if text == TOKEN:
        assert CODEC.decode(text) == CLAIMS
    else:
        _refused(text)


@settings(deadline=None)
@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", fullmatch=True)))
def test_no_text_trips_the_codec(text: str) -> None:
    _refused(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jku"]), _JSON, min_size=1), _JSON)
def test_no_json_under_a_good_signature_trips_the_codec(head: dict[str, Any], payload: Any) -> None:
    """Whoever holds the key can sign anything: nothing that is not ours is read, and nothing else is raised."""
    _refused(signed(header(HS256), payload, HS256))
    if {**header(HS256), **head} != header(HS256):
        _refused(signed({**header(HS256), **head}, CLAIMS.payload(), HS256))
