"""docs/verify-elsewhere.md: other people's libraries take our good tokens by their signature, and no others."""

import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import jwt
import pytest

from keyhouse.testing import KeyhouseServer
from keyhouse.tokens.keys import key_from_file
from support.hostile_tokens import hostile_tokens
from support.issuers import Issuer
from support.jwks_address import JwksAddress, jwks_of
from support.snippets import Page, run
from support.verifiers import Verifier, node_verifier, verifier

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")

Verifying = Callable[[str, str], Verifier]
# After how many seconds a new key is known to each, at the latest.
KNOWN_AFTER = {"PyJWT": 31, "joserfc": 301, "Authlib": 301, "jose": 31}


@pytest.fixture(params=["PyJWT", "joserfc", "Authlib", pytest.param("jose", marks=pytest.mark.node)])
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def verifying(
    library: str, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Verifying]:
    """The library's snippet, for an address and an algorithm."""
    with ExitStack() as running:

        def made(base_url: str, algorithm: str = "ES256") -> Verifier:
            folder = tmp_path
            if library == "jose":
                folder = request.getfixturevalue("node_modules") / tmp_path.name
                folder.mkdir()
            page.write(folder, base_url, replacing={"ES256": algorithm})
            if library == "jose":
                return running.enter_context(node_verifier(folder))
            return verifier(library, folder, monkeypatch)

        yield made


def test_a_good_token_is_taken_with_its_claims(issuer: Issuer, verifying: Verifying) -> None:
    elsewhere = verifying(issuer.server.base_url, issuer.key.algorithm)
    assert elsewhere.verified(issuer.token, "datasets:read") == issuer.claims.payload()
    assert not elsewhere.takes(issuer.token, "reports:read")


def test_no_other_token_is_taken(issuer: Issuer, verifying: Verifying) -> None:
    elsewhere = verifying(issuer.server.base_url, issuer.key.algorithm)
    tokens = {**hostile_tokens(issuer.codec, issuer.claims), "API key": issuer.server.token("valid")}
    assert [what for what, token in tokens.items() if elsewhere.takes(token)] == []
    assert elsewhere.takes(issuer.token)


def test_a_signature_outlives_its_revocation(es256: Issuer, verifying: Verifying) -> None:
    """What the page warns of."""
    token = es256.server.token("access")
    headers = {"Authorization": f"Bearer {token}"}
    auth = f"{es256.server.base_url}/api/v1/auth"
    assert httpx.post(f"{auth}/logout/", headers=headers).status_code == 204
    assert httpx.get(f"{auth}/verify/", headers=headers).status_code == 401
    assert verifying(es256.server.base_url).takes(token)


def test_both_keys_of_a_set_verify_by_their_kid(es256: Issuer, rotated: Issuer, verifying: Verifying) -> None:
    kids = [key["kid"] for key in jwks_of(rotated)["keys"]]
    assert kids == [jwt.get_unverified_header(one.token)["kid"] for one in (rotated, es256)]
    elsewhere = verifying(rotated.server.base_url)
    assert elsewhere.takes(rotated.token)
    assert elsewhere.takes(es256.token)


def test_a_new_key_is_known_in_time_and_an_old_one_forgotten(
    library: str, es256: Issuer, rotated: Issuer, verifying: Verifying, jwks_address: JwksAddress
) -> None:
    jwks_address.serve(jwks_of(es256))
    elsewhere = verifying(jwks_address.base_url)
    assert elsewhere.takes(es256.token)
    jwks_address.serve(jwks_of(rotated))
    assert not elsewhere.takes(rotated.token)
    elsewhere.wait(KNOWN_AFTER[library])
    assert elsewhere.takes(rotated.token)
    assert elsewhere.takes(es256.token)
    jwks_address.serve({"keys": jwks_of(rotated)["keys"][:1]})
    elsewhere.wait(301)
    assert elsewhere.takes(rotated.token)
    assert not elsewhere.takes(es256.token)


def test_the_signing_key_is_made_as_shown(page: Page, tmp_path: Path) -> None:
    page.write(tmp_path, "http://127.0.0.1")
    done = run("sh", "-eu", "signing_key.sh", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    made = tmp_path / "signing-key.pem"
    assert (key_from_file(made).algorithm, stat.S_IMODE(made.stat().st_mode)) == ("ES256", 0o600)


def test_a_secret_is_not_published(keyhouse_server: KeyhouseServer, verifying: Verifying) -> None:
    assert httpx.get(f"{keyhouse_server.base_url}/.well-known/jwks.json").json() == {"keys": []}
    assert not verifying(keyhouse_server.base_url).takes(keyhouse_server.token("access"))
