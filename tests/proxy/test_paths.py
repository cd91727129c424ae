"""Paths that two programs may read in two ways: the company that is checked is the one that is served, or nobody is."""

import pytest

from support.behind import Nginx, Service, bearer
from support.house import House

# {a} is the key's own company, {b} another.
AMBIGUOUS = [
    "/api/v1/companies/{a}/../{b}/",
    "/api/v1/companies/{b}/../{a}/",
    "/api/v1/companies/{a}/./",
    "/api/v1/companies/{a}/x/..",
    "/api/v1/companies/{a}/%2e%2e/{b}/",
    "/api/v1/companies/{a}/%2E./{b}/",
    "/api/v1/companies/{a}/.%2e/{b}/",
    "/api/v1/companies/{a}/%252e%252e/{b}/",
    "/api/v1/companies/{a}%2F..%2F{b}/",
    "/api/v1/companies/{a}/..%2F{b}/",
    "/api/v1/companies/{a}/..%5C{b}/",
    "/api/v1/companies/{a}/..\\{b}/",
    "/api/v1/companies/{a}/..;/{b}/",
    "/api/v1/companies/{a}/..;v=1/{b}/",
    "/api/v1/companies/{a}/x/.;/",
    "/api/v1/companies/{a}/x/..;",
    "/api/v1/companies/{a}/%2e%2e;/{b}/",
    "/api/v1/companies/{a}/..%3B/{b}/",
    "/api/v1/companies/{a}//{b}/",
    "/api/v1/companies/{a}/;/{b}/",
    "/api/v1/companies/{a}/x/;v=1",
    "/api/v1/companies//{a}/",
    "//api/v1/companies/{a}/",
    "/api/v1//companies/{a}/",
    "/./api/v1/companies/{a}/",
    "/x/../api/v1/companies/{a}/",
    "/%61pi/v1/companies/{a}/",
    "/API/v1/companies/{a}/",
    "/api/v1/companies/{a}",
    "/api/v1/companies/{a};/",
    "/api/v1/companies/{a}%00/",
    "/api/v1/companies/{a}/%00",
    "/api/v1/companies/{b}/",
    "/api/v1/companies/{b}/?/api/v1/companies/{a}/",
    "/api/v1/companies/{b}/#/api/v1/companies/{a}/",
    "/api/v1/companies/{b}/;/api/v1/companies/{a}/",
    "/api/v1/companies/",
    "/",
]
CLEAR = [
    "/api/v1/companies/{a}/",
    "/api/v1/companies/{a}/x;v=1/y",
    "/api/v1/companies/{a}/..x/x../.x/...",
    "/api/v1/companies/{a}/x?y=%2e%2e/../;#",
]


@pytest.fixture(scope="module")
def key(house: House) -> tuple[str, str]:
    return bearer(house.new_key())


@pytest.mark.parametrize("header", ["X-Forwarded-Uri", "X-Original-URI"])
@pytest.mark.parametrize("path", AMBIGUOUS)
def test_keyhouse_refuses_it(house: House, key: tuple[str, str], header: str, path: str) -> None:
    uri = path.format(a=house.company, b=house.other)
    assert house.verify("?company=uri", key, (header, uri)).status == 403


@pytest.mark.parametrize("header", ["X-Forwarded-Uri", "X-Original-URI"])
@pytest.mark.parametrize("path", CLEAR)
def test_keyhouse_lets_it_pass(house: House, key: tuple[str, str], header: str, path: str) -> None:
    uri = path.format(a=house.company, b=house.other)
    assert house.verify("?company=uri", key, (header, uri)).status == 204


@pytest.mark.nginx
@pytest.mark.parametrize("path", [*AMBIGUOUS, "http://api.example.com/api/v1/companies/{b}/", "/.verify", "/%2everify"])
def test_nginx_keeps_it_from_the_service(
    house: House, nginx: Nginx, service: Service, key: tuple[str, str], path: str
) -> None:
    before = len(service.seen())
    answer = nginx.ask("GET", path.format(a=house.company, b=house.other), key)
    # nginx itself has no path with a NUL in it or above its root, and none for its own location.
    assert answer.status in {400, 403, 404}
    assert len(service.seen()) == before


@pytest.mark.nginx
@pytest.mark.parametrize("path", [path for path in CLEAR if "#" not in path])
def test_nginx_hands_it_on_as_it_was_sent(
    house: House, nginx: Nginx, service: Service, key: tuple[str, str], path: str
) -> None:
    uri = path.format(a=house.company)
    assert nginx.ask("GET", uri, key).status == 200
    assert service.seen()[-1]["uri"] == uri


@pytest.mark.nginx
def test_nginx_takes_the_path_out_of_a_whole_url(
    house: House, nginx: Nginx, service: Service, key: tuple[str, str]
) -> None:
    assert nginx.ask("GET", f"http://{house.other}/api/v1/companies/{house.company}/x", key).status == 200
    assert service.seen()[-1]["uri"] == f"{house.base}/x"
