"""The page's configurations for Traefik and Caddy: their form, and Keyhouse's answers to the requests that these send.

What they send is as their documentation says. Neither runs here.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from keyhouse.http.forward_auth import ANSWERS
from support.behind import KEYHOUSE, SERVICE, SITE, Answer, bearer, block
from support.caddyfile import Line, parse
from support.envelope import INVALID_TOKEN, INVALID_TOKEN_CHALLENGE
from support.house import House

Headers = list[tuple[str, str]]
Proxy = Callable[[House, str, str, Headers], Answer]
TRAEFIK = yaml.safe_load(block("yaml"))["http"]
CADDY = parse(block("caddyfile")).one(SITE)
TOLD = sorted(ANSWERS[204]["headers"])
LIES = [
    name
    for told in TOLD
    for name in (told, told.upper(), told.replace("-", "_"), told.replace("-", "_", 1), "X-Auth_" + told[7:])
]


def forwarded(method: str, uri: str) -> Headers:
    """What both add to the request that they send to Keyhouse."""
    return [
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Host", SITE),
        ("X-Forwarded-Method", method),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Uri", uri),
    ]


def forward_auth_of(method: str) -> dict[str, Any]:
    """Traefik's middleware for a method."""
    read = method in {"GET", "HEAD"}
    router = TRAEFIK["routers"]["read" if read else "write"]
    assert re.findall(r"Method\(`(\w+)`\)", router["rule"]) == (["GET", "HEAD"] if read else [])
    return dict(TRAEFIK["middlewares"][router["middlewares"][0]]["forwardAuth"])


def traefik(house: House, method: str, uri: str, sent: Headers) -> Answer:
    """Asks as Traefik does: always by GET, without the body, with the listed headers of the client's."""
    configured = forward_auth_of(method)
    kept = [(name, value) for name, value in sent if name in configured["authRequestHeaders"]]
    return house.verify(f"?{urlsplit(configured['address']).query}", *kept, *forwarded(method, uri))


def caddy(house: House, method: str, uri: str, sent: Headers) -> Answer:
    """Asks as Caddy does: always by GET, without the body, with the client's headers, less those dropped before."""
    route = CADDY.one("route")
    needed = {line.words[0]: line.words[1] for line in route.one("map").block}
    query = urlsplit(route.one("forward_auth").one("uri").words[1]).query
    query = query.replace("{needed_scope}", needed.get(method, needed["default"]))
    dropped = dropped_before(route, "forward_auth")
    kept = [(name, value) for name, value in sent if not dropped(name)]
    return house.verify(f"?{query}", *kept, *forwarded(method, uri))


def dropped_before(route: Line, directive: str) -> Callable[[str], bool]:
    """Whether Caddy deletes a header of that name before that directive: its wildcards stand at both ends alone."""
    position = route.block.index(route.one(directive))
    fields = [line.words[1] for line in route.block[:position] if line.words[0] == "request_header"]
    assert all(field.startswith("-") for field in fields)
    patterns = [re.escape(field[1:]).replace(r"\*", ".*") for field in fields]
    return lambda name: any(re.fullmatch(pattern, name, re.IGNORECASE) for pattern in patterns)


@pytest.fixture(params=[traefik, caddy])
def proxy(request: pytest.FixtureRequest) -> Proxy:
    asked: Proxy = request.param
    return asked


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_a_key_passes(house: House, proxy: Proxy, method: str) -> None:
    key = house.new_key()
    sent = [bearer(key), ("Content-Type", "application/json"), ("Content-Encoding", "gzip"), ("Accept-Encoding", "br")]
    answer = proxy(house, method, f"{house.base}/invoices/?q=%2e%2e", sent)
    assert (answer.status, answer.body) == (204, b"")
    assert {name: answer.every(name) for name in TOLD} == {
        "X-Auth-Company": [house.company],
        "X-Auth-Credential": [key["id"]],
        "X-Auth-Scopes": ["datasets:read datasets:write"],
        "X-Auth-User": [key["created_by"]["id"]],
    }


def test_what_a_client_sent_as_the_proxy_s_does_not_count(house: House, proxy: Proxy) -> None:
    key = bearer(house.new_key())
    lies = [("X-Original-URI", f"{house.base}/"), ("X-Original-Uri", f"{house.base}/")]
    assert proxy(house, "GET", f"{house.base}/", [key, *lies]).status == 204
    assert proxy(house, "GET", f"/api/v1/companies/{house.other}/", [key, *lies]).status == 403


def test_a_scope_that_a_method_needs(house: House, proxy: Proxy) -> None:
    reader, writer = bearer(house.new_key("datasets:read")), bearer(house.new_key("datasets:write"))
    for method, key, lacking in (("POST", reader, "write"), ("QUERY", reader, "write"), ("GET", writer, "read")):
        answer = proxy(house, method, f"{house.base}/", [key])
        assert answer.status == 403
        assert answer.json()["errors"][0]["extra"] == {"required_scopes": [f"datasets:{lacking}"]}
        challenge = f'Bearer realm="api", error="insufficient_scope", scope="datasets:{lacking}"'
        assert answer.every("WWW-Authenticate") == [challenge]


def test_a_dead_key(house: House, proxy: Proxy) -> None:
    key = house.new_key()
    house.revoke(key)
    answer = proxy(house, "GET", f"{house.base}/", [bearer(key)])
    assert (answer.status, answer.body) == (401, INVALID_TOKEN)
    assert answer.every("WWW-Authenticate") == [INVALID_TOKEN_CHALLENGE]
    assert proxy(house, "GET", f"{house.base}/", []).json()["errors"][0]["code"] == "not_authenticated"


def test_an_uri_from_elsewhere_than_a_trusted_proxy(house: House) -> None:
    """The page's setting is what makes Keyhouse believe it; the contract's tests have the same without it."""
    key = bearer(house.new_key())
    assert house.verify("?company=uri", key).status == 403
    both = [("X-Original-URI", f"{house.base}/"), ("X-Forwarded-Uri", f"{house.base}/")]
    assert house.verify("?company=uri", key, *both).status == 403


@pytest.mark.parametrize(
    "query", ["?companyid={id}", "?company_id={id}&scopes=x", "?company=uri&Scope=x", "?company=uri&scope=", "?x"]
)
def test_a_question_with_a_slip_lets_nobody_pass(house: House, query: str) -> None:
    """Were it passed over, the proxy would check less than its operator believes."""
    uri = ("X-Original-URI", f"{house.base}/")
    answer = house.verify(query.format(id=house.company), bearer(house.new_key()), uri)
    assert (answer.status, answer.json()["errors"][0]["extra"]) == (403, None)


def test_traefik_s_form() -> None:
    assert set(TRAEFIK) == {"routers", "middlewares", "services"}
    for router in TRAEFIK["routers"].values():
        assert set(router) == {"rule", "entryPoints", "tls", "middlewares", "service"}
        assert f"Host(`{SITE}`)" in router["rule"]
        assert router["service"] in TRAEFIK["services"]
        assert router["middlewares"][1] == "drop-token"
    assert TRAEFIK["middlewares"]["drop-token"] == {"headers": {"customRequestHeaders": {"Authorization": ""}}}
    assert TRAEFIK["services"]["service"]["loadBalancer"]["servers"] == [{"url": f"http://{SERVICE}"}]
    for method in ("GET", "POST"):
        configured = forward_auth_of(method)
        address = urlsplit(configured.pop("address"))
        assert (address.scheme, address.netloc, address.path) == ("http", KEYHOUSE, "/api/v1/auth/verify/")
        # The names that it drops from the client's request and takes from Keyhouse's answer.
        names = re.compile(configured.pop("authResponseHeadersRegex"))
        assert all(names.search(name) for name in [*TOLD, *LIES])
        assert not names.search("X-Authority")
        assert configured == {"trustForwardHeader": False, "authRequestHeaders": ["Authorization"]}


def test_caddy_s_form() -> None:
    assert [line.words[0] for line in CADDY.block] == ["route", "handle_errors"]
    route = CADDY.one("route")
    forward_auth, dropped = route.one("forward_auth"), dropped_before(route, "forward_auth")
    assert all(dropped(name) for name in [*LIES, "X-Original-URI", "X-Forwarded-Uri", "X_Forwarded_Uri"])
    assert not dropped("Authorization")
    assert dropped_before(route, "reverse_proxy")("Authorization")
    assert [line.words[0] for line in route.block[-3:]] == ["forward_auth", "request_header", "reverse_proxy"]
    assert forward_auth.words == ["forward_auth", KEYHOUSE]
    assert urlsplit(forward_auth.one("uri").words[1]).path == "/api/v1/auth/verify/"
    assert sorted(forward_auth.one("copy_headers").words[1:]) == TOLD
    assert route.one("reverse_proxy").words == ["reverse_proxy", SERVICE]
