"""Paths, methods, and the headers of every answer."""

import re
from typing import Any

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.api import AUTH, COMPANIES, Api

pytestmark = pytest.mark.contract("1")

_REQUEST_IDS = ("a", "A-z_0.9", "x" * 128)
_NO_REQUEST_IDS = {"a space": "two words", "129 characters": "x" * 129, "a slash": "a/b", "empty": ""}


def check_get_without_slash(api: Api, access: str) -> None:
    """GET without the last slash answers as with it, and redirects nowhere."""
    with_it = api.send("GET", f"{AUTH}/me/", token=access)
    without = expect.status(api.send("GET", f"{AUTH}/me", token=access), 200)
    expect.same(without.asked, "the body", with_it.json(), without.json())


def check_writes_without_slash(api: Api, access: str) -> None:
    """POST, PATCH and DELETE without the last slash do what they do with it."""
    made = expect.status(api.send("POST", api.datasets[:-1], token=access, json={"name": "Slashless"}), 201)
    path = f"{api.datasets}{made.get('id')}"
    renamed = expect.status(api.send("PATCH", path, token=access, json={"name": "Renamed"}), 200)
    expect.same(renamed.asked, "name", "Renamed", renamed.get("name"))
    expect.status(api.send("DELETE", path, token=access), 204)


def check_refusal_without_slash(api: Api) -> None:
    """A refusal without the last slash is the one with it."""
    expect.refusal(api.send("GET", api.datasets[:-1]), 401, "not_authenticated")


@pytest.mark.parametrize("what", ["me", "list", "one"])
def check_head(api: Api, access: str, dataset: dict[str, Any], what: str) -> None:
    """HEAD is GET without the body."""
    path = {"me": f"{AUTH}/me/", "list": api.datasets, "one": f"{api.datasets}{dataset['id']}/"}[what]
    answer = expect.status(api.send("HEAD", path, token=access), 200)
    expect.same(answer.asked, "a body of bytes", 0, len(answer.content))


def check_head_without_slash(api: Api, access: str) -> None:
    """HEAD without the last slash answers as with it."""
    expect.status(api.send("HEAD", api.datasets[:-1], token=access), 200)


def check_head_refused(api: Api) -> None:
    """HEAD without credentials is 401 with the challenge."""
    answer = expect.status(api.send("HEAD", api.datasets), 401)
    expect.header(answer, "WWW-Authenticate", expect.BARE_CHALLENGE)


@pytest.mark.parametrize(
    ("method", "what", "allowed"),
    [
        pytest.param("PUT", "datasets", {"GET", "HEAD", "POST"}, id="PUT datasets/"),
        pytest.param("DELETE", "api_keys", {"GET", "HEAD", "POST"}, id="DELETE api-keys/"),
        pytest.param("PUT", "dataset", {"GET", "HEAD", "PATCH", "DELETE"}, id="PUT datasets/<id>/"),
        pytest.param("GET", "log_in", {"POST"}, id="GET auth/token/"),
        pytest.param("POST", "me", {"GET", "HEAD"}, id="POST auth/me/"),
        pytest.param("PATCH", "datasets", {"GET", "HEAD", "POST"}, id="PATCH datasets/"),
    ],
)
def check_wrong_method(
    api: Api, access: str, dataset: dict[str, Any], method: str, what: str, allowed: set[str]
) -> None:
    """A wrong method is 405 with every allowed method of the path in Allow."""
    paths = {
        "datasets": api.datasets,
        "api_keys": api.api_keys,
        "dataset": f"{api.datasets}{dataset['id']}/",
        "log_in": f"{AUTH}/token/",
        "me": f"{AUTH}/me/",
    }
    answer = api.send(method, paths[what], token=access)
    expect.refusal(answer, 405, "method_not_allowed")
    found = {name.strip() for name in answer.headers.get("Allow", "").split(",")}
    expect.that(allowed <= found, answer.asked, f"Allow with {', '.join(sorted(allowed))}", ", ".join(sorted(found)))
    expect.none_of(answer.asked, "Allow", {method}, found)


@pytest.mark.parametrize("who", ["nobody", "a user"])
def check_unknown_path(api: Api, access: str, who: str) -> None:
    """A path that is none is 404, whoever asks."""
    token = access if who == "a user" else None
    expect.refusal(api.send("GET", "/api/v1/no-such-thing/", token=token), 404, "not_found")


@pytest.mark.parametrize("request_id", _REQUEST_IDS, ids=lambda value: f"{len(value)} characters")
def check_request_id_is_the_callers(api: Api, access: str, request_id: str) -> None:
    """X-Request-ID of the caller comes back."""
    answer = api.send("GET", f"{AUTH}/me/", token=access, headers=[("X-Request-ID", request_id)])
    expect.header(answer, "X-Request-ID", request_id)


@pytest.mark.parametrize("request_id", _NO_REQUEST_IDS.values(), ids=_NO_REQUEST_IDS)
def check_request_id_is_replaced(api: Api, access: str, request_id: str) -> None:
    """X-Request-ID that is not 1 to 128 of [A-Za-z0-9._-] is replaced by one that is."""
    answer = api.send("GET", f"{AUTH}/me/", token=access, headers=[("X-Request-ID", request_id)])
    found = answer.headers.get("X-Request-ID", "")
    good = re.fullmatch(r"[A-Za-z0-9._-]{1,128}", found) and found != request_id
    expect.that(good, answer.asked, "another X-Request-ID", found)


def check_request_ids_differ(api: Api) -> None:
    """Every answer has an X-Request-ID of its own, also a refusal."""
    answers = [api.send("GET", path) for path in (api.datasets, api.datasets, "/api/v1/no-such-thing/")]
    found = [answer.headers.get("X-Request-ID") for answer in answers]
    expect.that(None not in found and len(set(found)) == len(found), api.datasets, "three X-Request-IDs", found)


@pytest.mark.parametrize("status", [200, 201, 204, 400, 401, 404, 405])
def check_no_store(api: Api, access: str, status: int) -> None:
    """Every answer has Cache-Control: no-store."""
    if status == 204:
        made = api.send("POST", api.datasets, token=access, json={"name": "Gone"})
        answer = api.send("DELETE", f"{api.datasets}{made.get('id')}/", token=access)
    else:
        answer = {
            200: lambda: api.send("GET", api.datasets, token=access),
            201: lambda: api.send("POST", api.datasets, token=access, json={"name": "Fresh"}),
            400: lambda: api.send("POST", api.datasets, token=access, json={}),
            401: lambda: api.send("GET", api.datasets),
            404: lambda: api.send("GET", "/api/v1/no-such-thing/"),
            405: lambda: api.send("PUT", api.datasets, token=access),
        }[status]()
    expect.status(answer, status)
    expect.header(answer, "Cache-Control", "no-store")


def check_media_type(api: Api, access: str) -> None:
    """Answers are JSON and say so."""
    for answer in (api.send("GET", f"{COMPANIES}/", token=access), api.send("GET", f"{COMPANIES}/")):
        found = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        expect.same(answer.asked, "Content-Type", "application/json", found)
        answer.json()


def check_times_and_ids(api: Api, access: str, key: dict[str, Any]) -> None:
    """Times are RFC 3339 in UTC in whole seconds, ids are UUIDv7 in lower case."""
    answer = api.send("GET", f"{api.api_keys}{key['id']}/", token=access)
    expect.uuid7(answer.asked, "id", answer.get("id"))
    expect.moment(answer.asked, "created_at", answer.get("created_at"))
    expect.moment(answer.asked, "expires_at", answer.get("expires_at"))
    me = api.send("GET", f"{AUTH}/me/", token=access)
    expect.moment(me.asked, "credential.expires_at", me.get("credential").get("expires_at"))
    expect.uuid7(me.asked, "user.id", me.get("user").get("id"))
