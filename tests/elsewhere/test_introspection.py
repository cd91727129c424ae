"""docs/verify-elsewhere.md: other services ask what a token is worth (RFC 7662), and are told the truth at once."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from authlib.oauth2 import OAuth2Error

from support.hostile_tokens import hostile_tokens
from support.issuers import Issuer
from support.snippets import Page, load, run
from support.verifiers import protector

CLIENTS = ["httpx", "requests", "authlib"]
Verified = Callable[[str, str, str], Any]


@pytest.fixture(scope="module")
def folder(page: Page, es256: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page.write(tmp_path_factory.mktemp("introspection"), es256.server.base_url)


@pytest.fixture(scope="module")
def introspection_key(folder: Path, es256: Issuer) -> str:
    server = es256.server
    done = run("sh", "introspection_key.sh", folder=folder, COMPANY_ID=server.company_id, **server.environment)
    (token,) = re.findall(r"eyJ[\w.-]+", done.stdout)
    return str(token)


@pytest.fixture(params=CLIENTS)
def verified(
    request: pytest.FixtureRequest, folder: Path, introspection_key: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Verified]:
    """The snippet's function. Authlib's does not compare companies: that is said to be left to the reader."""
    monkeypatch.setenv("INTROSPECTION_KEY", introspection_key)
    module = load(folder / f"introspect_{request.param}.py")
    if request.param == "authlib":
        check = protector(module.require_oauth)
        yield lambda token, _, scope: check(token, scope)
        return
    yield module.verified
    module.keyhouse.close()


def refusal(verified: Verified, token: str, company_id: str, scope: str = "datasets:read") -> str:
    """What the snippet raises, by the status that the page gives it."""
    try:
        verified(token, company_id, scope)
    except (httpx.HTTPError, requests.RequestException):
        return "503"
    except ValueError:
        return "401"
    except LookupError:
        return "404"
    except PermissionError:
        return "403"
    except OAuth2Error as error:
        return str(error.status_code)
    return "taken"


def test_a_live_key_is_told_with_its_claims(verified: Verified, es256: Issuer) -> None:
    token = es256.server.token("valid")
    told = verified(token, es256.server.company_id, "datasets:write")
    assert told == {**es256.codec.decode(token).payload(), "active": True}


def test_a_revoked_key_is_dead_at_the_next_question(verified: Verified, es256: Issuer) -> None:
    server = es256.server
    token = server.token("valid")
    assert refusal(verified, token, server.company_id) == "taken"
    assert httpx.post(f"{server.base_url}/api/v1/auth/revoke/", data={"token": token}).status_code == 200
    assert refusal(verified, token, server.company_id) == "401"


def test_every_other_token_is_inactive(verified: Verified, es256: Issuer) -> None:
    server = es256.server
    others = {kind: server.token(kind) for kind in ("access", "expired", "revoked", "other_company", "not_yet_valid")}
    tokens = {**hostile_tokens(es256.codec, es256.codec.decode(server.token("valid"))), **others}
    answers = {what: refusal(verified, token, server.company_id) for what, token in tokens.items()}
    # Without a token there is nothing to ask about.
    assert answers.pop("empty") in {"401", "503"}
    assert {what: answer for what, answer in answers.items() if answer != "401"} == {}


def test_scope_and_company_are_compared(verified: Verified, es256: Issuer, request: pytest.FixtureRequest) -> None:
    server = es256.server
    read_only = server.token("read_only")
    assert refusal(verified, read_only, server.company_id) == "taken"
    assert refusal(verified, read_only, server.company_id, "datasets:write") == "403"
    elsewhere = "taken" if "authlib" in request.node.name else "404"
    assert refusal(verified, read_only, "0193e4a0-0000-7000-8000-000000000000") == elsewhere


def test_curl_asks_the_same(folder: Path, introspection_key: str, es256: Issuer) -> None:
    def ask(token: str) -> Any:
        done = run("sh", "introspect.sh", folder=folder, INTROSPECTION_KEY=introspection_key, TOKEN=token)
        assert done.stderr == ""
        return json.loads(done.stdout)

    token = es256.server.token("valid")
    assert ask(token) == {**es256.codec.decode(token).payload(), "active": True}
    assert ask(es256.server.token("revoked")) == {"active": False}


def test_a_service_whose_own_key_is_refused_lets_nobody_in(
    folder: Path, es256: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTROSPECTION_KEY", es256.server.token("revoked"))
    for client in CLIENTS[:2]:
        module = load(folder / f"introspect_{client}.py")
        with pytest.raises((httpx.HTTPStatusError, requests.HTTPError)):
            module.verified(es256.server.token("valid"), es256.server.company_id, "datasets:read")
        module.keyhouse.close()
    check = protector(load(folder / "introspect_authlib.py").require_oauth)
    with pytest.raises(httpx.HTTPStatusError):
        check(es256.server.token("valid"), "datasets:read")
