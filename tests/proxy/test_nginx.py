"""The page's nginx in front of the example: who passes, as whom, and what the others get."""

import re
from collections.abc import Callable

import pytest

from support.behind import Answer, Nginx, Service, ask, bearer
from support.envelope import INVALID_TOKEN, INVALID_TOKEN_CHALLENGE
from support.house import House
from support.waiting import until

pytestmark = pytest.mark.nginx

NOT_AUTHENTICATED = (
    b'{"type":"client_error","errors":[{"code":"not_authenticated",'
    b'"detail":"Authentication credentials were not provided.","attr":null,"extra":null}]}'
)
FORBIDDEN = (
    b'{"type":"client_error","errors":[{"code":"permission_denied",'
    b'"detail":"You do not have permission to perform this action.","attr":null,"extra":%s}]}'
)


def assert_refused(answer: Answer, status: int, body: bytes, challenge: str | None, *, head: bool = False) -> None:
    """Exactly as the guard refuses."""
    assert (answer.status, answer.body) == (status, b"" if head else body)
    assert answer.every("WWW-Authenticate") == ([] if challenge is None else [challenge])
    assert answer.every("Content-Type") == ["application/json"]
    assert answer.every("Content-Length") == [str(len(body))]
    assert answer.every("Cache-Control") == ["no-store"]
    assert len(answer.every("X-Request-ID")) == 1


def test_a_key_passes_and_the_service_is_told_whose_it_is(house: House, nginx: Nginx, service: Service) -> None:
    key = house.new_key()
    uri = f"{house.base}/invoices/7;v=1/?q=../../%2e%2e/&company_id={house.other}"
    answer = nginx.ask("GET", uri, bearer(key), ("X-Own", "kept"))
    assert (answer.status, answer.json()["company"]) == (200, house.company)
    (expires,) = answer.every("X-API-Key-Expires")
    assert expires == key["expires_at"]
    seen = service.seen()[-1]
    assert (seen["method"], seen["uri"]) == ("GET", uri)
    assert sorted(map(tuple, seen["headers"])) == [
        ("connection", "close"),
        ("host", "127.0.0.1"),
        ("x-auth-company", house.company),
        ("x-auth-credential", key["id"]),
        ("x-auth-scopes", "datasets:read datasets:write"),
        ("x-auth-user", key["created_by"]["id"]),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-own", "kept"),
    ]


@pytest.mark.parametrize("spelled", [str, str.lower, str.upper, str.swapcase, lambda name: name.replace("-", "_")])
def test_what_a_client_says_of_itself_does_not_pass(
    house: House, nginx: Nginx, service: Service, spelled: Callable[[str], str]
) -> None:
    key = house.new_key("datasets:read")
    lies = [
        (spelled(name), value)
        for name in ("X-Auth-User", "X-Auth-Company", "X-Auth-Credential", "X-Auth-Scopes")
        for value in ("lie", "another")
    ]
    paths = [(spelled(name), f"/api/v1/companies/{house.other}/") for name in ("X-Original-URI", "X-Forwarded-Uri")]
    mixed = [("X-Auth_User", "lie"), ("X_Auth-User", "lie"), ("Connection", "X-Auth-Company, X-Auth-User")]
    answer = nginx.ask("GET", f"{house.base}/", bearer(key), *lies, *paths, *mixed, ("X-Forwarded-For", "192.0.2.1"))
    assert answer.status == 200
    told = [(name.replace("_", "-"), value) for name, value in service.seen()[-1]["headers"]]
    assert sorted(pair for pair in told if re.match("x-(auth|original|forwarded)", pair[0])) == [
        ("x-auth-company", house.company),
        ("x-auth-credential", key["id"]),
        ("x-auth-scopes", "datasets:read"),
        ("x-auth-user", key["created_by"]["id"]),
        ("x-forwarded-for", "127.0.0.1"),
    ]


@pytest.mark.parametrize("name", ["X-Original-URI", "X-Forwarded-Uri", "x_original_uri", "X_Forwarded_Uri"])
def test_another_company_is_refused_whatever_path_a_client_claims(
    house: House, nginx: Nginx, service: Service, name: str
) -> None:
    before = len(service.seen())
    claim = (name, f"{house.base}/")
    answer = nginx.ask("GET", f"/api/v1/companies/{house.other}/", bearer(house.new_key()), claim, claim)
    assert_refused(answer, 403, FORBIDDEN % b"null", None)
    assert len(service.seen()) == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_refusals_are_keyhouse_s_own_for_every_method(
    house: House, nginx: Nginx, service: Service, method: str
) -> None:
    before = len(service.seen())
    uri, head, body = f"{house.base}/invoices/", method == "HEAD", None if method in {"GET", "HEAD"} else b"x" * 100_000
    nobody = nginx.ask(method, uri, body=body)
    assert_refused(nobody, 401, NOT_AUTHENTICATED, 'Bearer realm="api"', head=head)
    forged = nginx.ask(method, uri, ("Authorization", "Bearer forged"), body=body)
    assert_refused(forged, 401, INVALID_TOKEN, INVALID_TOKEN_CHALLENGE, head=head)
    long = nginx.ask(method, uri, ("Authorization", f"Bearer {'x' * 9000}"), body=body)
    assert_refused(long, 401, INVALID_TOKEN, INVALID_TOKEN_CHALLENGE, head=head)
    twice = nginx.ask(method, uri, *[bearer(house.new_key())] * 2, body=body)
    assert twice.status in {400, 401}
    lacking = "read" if method in {"GET", "HEAD"} else "write"
    key = house.new_key("datasets:write" if lacking == "read" else "datasets:read")
    missing = b'{"required_scopes":["datasets:%s"]}' % lacking.encode()
    challenge = f'Bearer realm="api", error="insufficient_scope", scope="datasets:{lacking}"'
    assert_refused(nginx.ask(method, uri, bearer(key), body=body), 403, FORBIDDEN % missing, challenge, head=head)
    assert len(service.seen()) == before


def test_a_revoked_key_is_dead_behind_the_proxy_once_that_is_answered(house: House, nginx: Nginx) -> None:
    for _ in range(3):
        key = house.new_key()
        assert [nginx.ask("GET", f"{house.base}/", bearer(key)).status for _ in range(3)] == [200] * 3
        house.revoke(key)
        answer = nginx.ask("GET", f"{house.base}/", bearer(key))
        assert_refused(answer, 401, INVALID_TOKEN, INVALID_TOKEN_CHALLENGE)


async def test_each_request_is_asked_about(house: House, nginx: Nginx) -> None:
    key, before = house.new_key(), house.verdicts()
    assert [nginx.ask("GET", f"{house.base}/", bearer(key)).status for _ in range(5)] == [200] * 5
    await until(lambda: house.verdicts() >= before + 5)
    assert house.verdicts() == before + 5


@pytest.mark.parametrize("size", [0, 1, 10_000, 19_000_000])
def test_a_body_reaches_the_service(house: House, nginx: Nginx, service: Service, size: int) -> None:
    answer = nginx.ask("POST", f"{house.base}/", bearer(house.new_key()), body=b"x" * size)
    assert (answer.status, answer.json()["received"]) == (200, size)
    assert service.seen()[-1]["method"] == "POST"


def test_a_body_in_chunks_reaches_the_service(house: House, nginx: Nginx) -> None:
    body = (b"x" * 50_000 for _ in range(100))
    answer = nginx.ask("PUT", f"{house.base}/", bearer(house.new_key()), ("Content-Type", "text/csv"), body=body)
    assert (answer.status, answer.json()["received"]) == (200, 5_000_000)


def test_a_body_over_the_limit_of_the_page_does_not(house: House, nginx: Nginx, service: Service) -> None:
    before = len(service.seen())
    answer = nginx.ask("POST", f"{house.base}/", bearer(house.new_key()), ("Content-Length", str(20 * 2**20 + 1)))
    assert answer.status == 413
    assert len(service.seen()) == before


def test_the_location_that_asks_is_no_client_s(house: House, nginx: Nginx) -> None:
    assert nginx.ask("GET", "/.verify", bearer(house.new_key())).status == 404


def test_the_example_believes_nobody_who_comes_without_the_proxy_s_headers(house: House, service: Service) -> None:
    assert ask(service.port, "GET", f"{house.base}/", bearer(house.new_key())).status == 500
