"""Bodies: media types, encodings, and how long they may be."""

from collections.abc import Iterator
from typing import Any

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.api import AUTH, Api

pytestmark = pytest.mark.contract("1")

_TYPES = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "application/vnd.api+json",
)
_CHUNK = 4096


def _long(api: Api) -> bytes:
    """One byte more than a body may have; JSON that would be taken, were it shorter."""
    return b'{"name": "Too long"}'.ljust(api.target.max_body_bytes + 1)


def _chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), _CHUNK):
        yield body[start : start + _CHUNK]


@pytest.mark.parametrize("media_type", [*_TYPES, None], ids=lambda value: value or "none")
def check_other_media_types(api: Api, access: str, media_type: str | None) -> None:
    """A body of another media type is 415."""
    headers = [] if media_type is None else [("Content-Type", media_type)]
    answer = api.send("POST", api.datasets, token=access, content=b'{"name": "x"}', headers=headers)
    expect.refusal(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON"])
def check_own_media_type(api: Api, access: str, media_type: str) -> None:
    """JSON may be spelled as media types may."""
    headers = [("Content-Type", media_type)]
    expect.status(api.send("POST", api.datasets, token=access, content=b'{"name": "x"}', headers=headers), 201)


def check_encodings(api: Api, access: str) -> None:
    """A body with a Content-Encoding is 415."""
    headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")]
    answer = api.send("POST", api.datasets, token=access, content=b'{"name": "x"}', headers=headers)
    expect.refusal(answer, 415, "unsupported_media_type")


def check_form_routes_take_no_json(api: Api) -> None:
    """Where a form is asked for, JSON is another media type: 415."""
    answer = api.patiently(lambda: api.send("POST", f"{AUTH}/revoke/", json={"token": "x"}))
    expect.refusal(answer, 415, "unsupported_media_type")


def check_too_long(api: Api, access: str) -> None:
    """A body that is too long by its Content-Length is 413."""
    headers = [("Content-Type", "application/json")]
    answer = api.send("POST", api.datasets, token=access, content=_long(api), headers=headers)
    expect.refusal(answer, 413, "request_too_large")


def check_too_long_in_chunks(api: Api, access: str) -> None:
    """A body that is too long in chunks is 413."""
    headers = [("Content-Type", "application/json")]
    answer = api.send("POST", api.datasets, token=access, content=_chunks(_long(api)), headers=headers)
    expect.refusal(answer, 413, "request_too_large")


def check_too_long_for_a_log_in(api: Api) -> None:
    """A body that is too long is 413 for a log-in, too."""
    headers = [("Content-Type", "application/json")]
    answer = api.send("POST", f"{AUTH}/token/", content=_long(api), headers=headers)
    expect.refusal(answer, 413, "request_too_large")


def check_too_long_does_nothing(api: Api, access: str) -> None:
    """DELETE with a body that is too long is 413, and nothing was deleted."""
    made = api.send("POST", api.datasets, token=access, json={"name": "Kept"})
    path = f"{api.datasets}{made.get('id')}/"
    headers = [("Content-Type", "application/json")]
    expect.refusal(
        api.send("DELETE", path, token=access, content=_long(api), headers=headers), 413, "request_too_large"
    )
    expect.status(api.send("GET", path, token=access), 200)


def check_long_enough(api: Api, access: str) -> None:
    """A body of exactly the greatest length is taken."""
    headers = [("Content-Type", "application/json")]
    answer = api.send("POST", api.datasets, token=access, content=_long(api)[:-1], headers=headers)
    expect.status(answer, 201)


def check_chunks(api: Api, access: str) -> None:
    """A body in chunks is taken."""
    headers = [("Content-Type", "application/json")]
    content = iter([b'{"name": ', b'"Chunked"}'])
    answer = expect.status(api.send("POST", api.datasets, token=access, content=content, headers=headers), 201)
    expect.same(answer.asked, "name", "Chunked", answer.get("name"))


@pytest.mark.parametrize("body", [b"", b"{}"], ids=["none", "{}"])
def check_empty(api: Api, access: str, body: bytes) -> None:
    """An empty body is told what is required, as {} is."""
    headers = [("Content-Type", "application/json")] if body else []
    answer = api.send("POST", api.datasets, token=access, content=body, headers=headers)
    expect.invalid(answer, ("required", "name"))


def check_nothing_is_echoed(api: Api, access: str) -> None:
    """A refusal does not repeat what was sent."""
    mark = "mirror-mirror-on-the-wall"
    values: list[Any] = [{"name": {"x": mark}}, {"name": "x", "description": [mark]}]
    for value in values:
        answer = api.send("POST", api.datasets, token=access, json=value)
        expect.status(answer, 400)
        expect.that(mark not in answer.text(), answer.asked, "a refusal without what was sent", answer.told())
