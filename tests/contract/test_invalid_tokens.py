"""Contract section 2: whatever is wrong with a token, the answer is one and the same, byte for byte."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from keyhouse import create_app
from keyhouse.tokens.keys import Algorithm, generate_pem, secret_key
from support.callers import access_claims
from support.envelope import INVALID_TOKEN, INVALID_TOKEN_CHALLENGE, assert_error, errors_of
from support.forgeries import OF_HEADER, OF_TEXT, Good, of_claims
from support.world import SECRET, World, bearer, settings_for, world_of

FALLBACK = "the-secret-of-last-year-0123456789abcdef"
PATHS = ("/api/v1/auth/me/", "/api/v1/auth/verify/")


async def ask(world: World, path: str, *values: bytes | str) -> httpx.Response:
    """With these very Authorization headers."""
    raw = [(b"authorization", value.encode() if isinstance(value, str) else value) for value in values]
    return await world.http.get(path, headers=raw)


async def assert_refused(world: World, *values: bytes | str) -> None:
    for path in (f"{world.base}/datasets/", *PATHS):
        answer = await ask(world, path, *values)
        assert (answer.status_code, answer.content) == (401, INVALID_TOKEN)
        assert answer.headers.get_list("www-authenticate") == [INVALID_TOKEN_CHALLENGE]
        errors_of(answer)


async def assert_admitted(world: World, token: str) -> None:
    for path in (f"{world.base}/datasets/", *PATHS):
        assert (await ask(world, path, f"Bearer {token}")).is_success


async def good_of(world: World, kind: str) -> Good:
    """A good token of the kind, which has just been let in."""
    now = int(world.clock.wall())
    if kind == "access token":
        payload = (await access_claims(world, world.admin.user)).payload()
    else:
        made = await world.new_key()
        payload = world.keyhouse.codec.decode(made["token"]).payload()
    good = Good(world.keyhouse.codec.keys.signing, dict(payload), now)
    await assert_admitted(world, good.text)
    return good


def kinds() -> Iterator[tuple[str, str]]:
    shape = {"iss": "", "aud": "", "sub": "", "jti": "", "iat": 1, "exp": 1, "scope": ""}
    for kind, own in (
        ("access token", {"token_use": "access", "sid": ""}),
        ("API key", {"token_use": "api_key", "company_id": ""}),
    ):
        for cause in of_claims(Good(secret_key(SECRET), {**shape, **own}, 0)):
            yield kind, cause


@pytest.mark.parametrize("kind", ["access token", "API key"])
@pytest.mark.parametrize("cause", OF_TEXT)
async def test_what_is_no_token(shared: World, kind: str, cause: str) -> None:
    good = await good_of(shared, kind)
    forged = OF_TEXT[cause](good)
    assert forged != good.text
    await assert_refused(shared, f"Bearer {forged}")


@pytest.mark.parametrize("kind", ["access token", "API key"])
@pytest.mark.parametrize("cause", OF_HEADER)
async def test_a_header_that_is_not_ours(shared: World, kind: str, cause: str) -> None:
    await assert_refused(shared, f"Bearer {OF_HEADER[cause](await good_of(shared, kind))}")


@pytest.mark.parametrize(("kind", "cause"), list(kinds()))
async def test_claims_that_are_not_ours(shared: World, kind: str, cause: str) -> None:
    good = await good_of(shared, kind)
    await assert_refused(shared, f"Bearer {of_claims(good)[cause](good)}")


@pytest.mark.parametrize("kind", ["access token", "API key"])
async def test_what_is_not_refused(shared: World, kind: str) -> None:
    """The limits lie where they should, and what a token says beside our claims is nobody's business."""
    good = await good_of(shared, kind)
    for token in (
        good.with_claims(nbf=good.now - 1),
        good.with_claims(anything=["else"], roles={"admin": True}),
        good.with_claims(scope=""),
        good.with_claims(exp=good.now + 60),
        good.raw_payload(f" {good.payload} ".replace("'", '"')),
        signed_to_the_byte(good, 8192),
    ):
        await assert_admitted(shared, token)
    await assert_refused(shared, f"Bearer {signed_to_the_byte(good, 8193)}")
    for scheme in ("bearer", "BEARER", "bEaReR"):
        assert (await ask(shared, PATHS[0], f"{scheme} {good.text}")).status_code == 200


def signed_to_the_byte(good: Good, length: int) -> str:
    """A good token of about this length: base64 makes steps of four thirds."""
    pad = (length - len(good.with_claims(pad=""))) * 3 // 4
    made = [good.with_claims(pad="x" * (pad + more)) for more in range(-4, 5)]
    fitting = [token for token in made if (len(token) <= length) == (length <= 8192)]
    return max(fitting, key=len) if length <= 8192 else min(fitting, key=len)


@pytest.mark.parametrize(
    "values",
    [
        [b"Bearer"],
        [b"Bearer "],
        [b"bearer \t "],
        [b"Bearer x"],
        [b"Bearer a b"],
        [b"Bearer \xff\xfe"],
        [b"Bearer {token}\xc3\xa9"],
        [b"Bearer {token} x"],
        [b"Bearer x {token}"],
        [b"Bearer Bearer {token}"],
        [b"Bearer {token}", b"Bearer {token}"],
        [b"Bearer {token}", b"Basic eDp5"],
        [b"Basic eDp5", b"Bearer {token}"],
        [b"", b"Bearer {token}"],
        [b"Bearer {token}", b"Bearer x", b"Bearer y"],
        [b"Bearer " + b"x" * 2_000_000],
        [b"Bearer " + b" " * 9000 + b"a b"],
    ],
    ids=lambda values: repr(values)[:60],
)
async def test_a_header_that_holds_no_token(shared: World, values: list[bytes]) -> None:
    token = (await good_of(shared, "API key")).text.encode()
    await assert_refused(shared, *(value.replace(b"{token}", token) for value in values))


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b" "],
        [b"Basic eDp5"],
        [b"Token {token}"],
        [b"{token}"],
        [b"Bearer{token}"],
        [b"Bearer,{token}"],
        [b"Bearers {token}"],
        [b"Digest username=x"],
        [b"Basic eDp5", b"Digest x"],
    ],
    ids=repr,
)
async def test_no_credentials_of_ours(shared: World, values: list[bytes]) -> None:
    token = (await good_of(shared, "API key")).text.encode()
    for path in (f"{shared.base}/datasets/", *PATHS):
        answer = await ask(shared, path, *(value.replace(b"{token}", token) for value in values))
        assert_error(answer, "not_authenticated")


async def test_a_token_anywhere_but_in_its_header_is_none(shared: World) -> None:
    token = (await good_of(shared, "API key")).text
    headers = {
        "Cookie": f"access_token={token}; token={token}",
        "X-Api-Key": token,
        "Proxy-Authorization": f"Bearer {token}",
    }
    for path in (f"{shared.base}/datasets/", *PATHS):
        answer = await shared.http.get(f"{path}?access_token={token}&token={token}", headers=headers)
        assert_error(answer, "not_authenticated")
    answer = await shared.http.post("/api/v1/auth/introspect/", data={"token": token, "access_token": token})
    assert_error(answer, "not_authenticated")


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
async def test_every_algorithm_refuses_the_same(sqlite_url: str, tmp_path: Path, algorithm: Algorithm) -> None:
    """The database plays no part in a signature."""
    pem = tmp_path / "key.pem"
    pem.write_text(generate_pem(algorithm))
    async with world_of(settings_for(sqlite_url, secret_key=None, signing_key_file=pem)) as world:
        for kind in ("access token", "API key"):
            good = await good_of(world, kind)
            assert good.key.algorithm == algorithm
            for forge in (*OF_TEXT.values(), *OF_HEADER.values(), *of_claims(good).values()):
                answer = await ask(world, PATHS[0], f"Bearer {forge(good)}".encode())
                assert (answer.status_code, answer.content) == (401, INVALID_TOKEN)
            # The secret that signs elsewhere is no key here.
            other = replace(good, key=secret_key(SECRET))
            await assert_refused(world, f"Bearer {other.text}")


async def test_a_fallback_verifies_until_it_is_taken_away(sqlite_url: str, tmp_path: Path) -> None:
    async with world_of(settings_for(sqlite_url, secret_key=FALLBACK)) as world:
        token = (await good_of(world, "API key")).text
    pem = tmp_path / "key.pem"
    pem.write_text(generate_pem("EdDSA"))
    for settings, admitted in (
        ({"secret_key": FALLBACK}, True),
        ({"secret_key": SECRET, "secret_key_fallbacks": (FALLBACK,)}, True),
        ({"secret_key": FALLBACK, "signing_key_file": pem}, True),
        ({"secret_key": SECRET}, False),
        ({"secret_key": None, "signing_key_file": pem}, False),
    ):
        app = create_app(settings_for(sqlite_url, **settings))
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://a") as http,
        ):
            answer = await http.get(PATHS[0], headers=bearer(token))
        assert answer.status_code == (200 if admitted else 401), settings
        assert admitted or answer.content == INVALID_TOKEN
