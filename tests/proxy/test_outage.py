"""When Keyhouse is down, slow or unsure: the page's nginx lets nobody pass, says so in the envelope, and recovers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.behind import Answer, Nginx, Service, bearer, running_nginx
from support.house import House
from support.postgres import Postgres
from support.scripted import answer, running_scripted
from support.waiting import until

pytestmark = pytest.mark.nginx

UNAVAILABLE = (
    b'{"type":"server_error","errors":[{"code":"service_unavailable",'
    b'"detail":"Service temporarily unavailable, try again later.","attr":null,"extra":null}]}'
)
ENVELOPE = b'{"type":"client_error","errors":[]}'
PASS = answer(204, "X-Auth-User: u", "X-Auth-Company: c", "X-Auth-Credential: k", "X-Auth-Scopes: s")


def assert_unavailable(given: Answer, *, head: bool = False) -> None:
    assert (given.status, given.body) == (503, b"" if head else UNAVAILABLE)
    assert given.every("Content-Type") == ["application/json"]
    assert given.every("Content-Length") == [str(len(UNAVAILABLE))]
    assert given.every("Retry-After") == ["1"]
    assert given.every("Cache-Control") == ["no-store"]


@contextmanager
def reaching_nobody(service: Service) -> Iterator[None]:
    before = len(service.seen())
    yield
    assert len(service.seen()) == before


def test_killed_and_back(house: House, nginx: Nginx, service: Service) -> None:
    key, uri = bearer(house.new_key()), f"{house.base}/"
    assert nginx.ask("GET", uri, key).status == 200
    house.server.kill()
    with reaching_nobody(service):
        for method, body in (("GET", None), ("HEAD", None), ("POST", b"x" * 100_000), ("DELETE", None)):
            assert_unavailable(nginx.ask(method, uri, key, body=body), head=method == "HEAD")
        assert_unavailable(nginx.ask("GET", uri))
    house.start()
    assert nginx.ask("GET", uri, key).status == 200


def test_stuck_and_back(house: House, nginx: Nginx, service: Service) -> None:
    key, uri = bearer(house.new_key()), f"{house.base}/"
    house.server.pause()
    with reaching_nobody(service):
        assert_unavailable(nginx.ask("GET", uri, key))
    house.server.resume()
    assert nginx.ask("GET", uri, key).status == 200


async def test_without_its_database_and_back(house: House, nginx: Nginx, service: Service, postgres: Postgres) -> None:
    key, uri = bearer(house.new_key()), f"{house.base}/"
    assert nginx.ask("GET", uri, key).status == 200
    postgres.sql(f"ALTER DATABASE {house.database} ALLOW_CONNECTIONS false")
    postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{house.database}'")
    await until(lambda: house.verify("?company=uri", key, ("X-Original-URI", uri)).status == 503)
    own = house.verify("?company=uri", key, ("X-Original-URI", uri))
    with reaching_nobody(service):
        given = nginx.ask("GET", uri, key)
    assert_unavailable(given)
    assert (own.body, own.every("Retry-After")) == (given.body, given.every("Retry-After"))
    postgres.sql(f"ALTER DATABASE {house.database} ALLOW_CONNECTIONS true")
    await until(lambda: nginx.ask("GET", uri, key).status == 200)


@pytest.mark.parametrize(
    "given",
    [answer(status, body=ENVELOPE) for status in (302, 400, 404, 429, 500, 502, 503)] + [b"", b"nonsense\r\n\r\n"],
    ids=lambda given: given[:12],
)
def test_whatever_else_it_answers_lets_nobody_pass(service: Service, tmp_path: Path, given: bytes) -> None:
    with (
        reaching_nobody(service),
        running_scripted(given) as keyhouse,
        running_nginx(tmp_path, keyhouse.port, service.port) as nginx,
    ):
        assert_unavailable(nginx.ask("POST", "/", body=b"x"))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_stays_one_though_keyhouse_thinks_better_of_it(service: Service, tmp_path: Path, status: int) -> None:
    """It is asked again for the body, and may then say yes: a right was given in between."""
    with (
        reaching_nobody(service),
        running_scripted(answer(status, body=ENVELOPE), PASS) as keyhouse,
        running_nginx(tmp_path, keyhouse.port, service.port) as nginx,
    ):
        assert nginx.ask("DELETE", "/").status == status
        assert len(keyhouse.asked) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_the_service_s_own_refusals_stay_its_own(tmp_path: Path, status: int) -> None:
    own = answer(status, "X-Own: yes", "Retry-After: 9", body=b"own")
    with (
        running_scripted(PASS) as keyhouse,
        running_scripted(own) as service,
        running_nginx(tmp_path, keyhouse.port, service.port) as nginx,
    ):
        given = nginx.ask("GET", "/")
    assert (given.status, given.body, given.every("X-Own"), given.every("Retry-After")) == (
        status,
        b"own",
        ["yes"],
        ["9"],
    )
