"""The order of the guard: route and method, size, credentials, company, scope, fields."""

import uuid

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.api import COMPANIES, Api
from keyhouse.conformance.fixtures import Key

pytestmark = pytest.mark.contract("2")

_BAD_FIELDS = {"name": None, "colour": "red"}


def _elsewhere() -> str:
    return f"{COMPANIES}/{uuid.uuid4()}/datasets/"


def check_method_before_credentials(api: Api) -> None:
    """A wrong method is told before credentials are asked for."""
    expect.code(api.send("PUT", api.datasets), 405, "method_not_allowed")


def check_size_before_credentials(api: Api) -> None:
    """A body that is too long is told before credentials are asked for."""
    body = b" " * (api.target.max_body_bytes + 1)
    headers = [("Content-Type", "application/json")]
    expect.code(api.send("POST", api.datasets, content=body, headers=headers), 413, "request_too_large")


def check_credentials_before_company(api: Api, dead: Key) -> None:
    """Credentials are checked before the company."""
    expect.code(api.send("GET", _elsewhere()), 401, "not_authenticated")
    expect.code(api.send("GET", _elsewhere(), token=dead["token"]), 401, "invalid_token")
    expect.code(api.send("GET", f"{COMPANIES}/not-an-id/datasets/", token=dead["token"]), 401, "invalid_token")


def check_credentials_before_fields(api: Api, dead: Key) -> None:
    """Credentials are checked before the fields."""
    expect.code(api.send("POST", api.datasets, json=_BAD_FIELDS), 401, "not_authenticated")
    expect.code(api.send("POST", api.datasets, token=dead["token"], json=_BAD_FIELDS), 401, "invalid_token")
    expect.code(api.send("GET", f"{api.datasets}?limit=none", token=dead["token"]), 401, "invalid_token")


def check_company_before_scope(api: Api, reader: Key) -> None:
    """The company is checked before the scope."""
    expect.code(api.send("POST", _elsewhere(), token=reader["token"], json={"name": "x"}), 404, "not_found")


def check_company_before_fields(api: Api, access: str) -> None:
    """The company is checked before the fields."""
    expect.code(api.send("POST", _elsewhere(), token=access, json=_BAD_FIELDS), 404, "not_found")
    expect.code(api.send("GET", f"{_elsewhere()}?limit=none", token=access), 404, "not_found")


def check_scope_before_fields(api: Api, reader: Key) -> None:
    """The scope is checked before the fields."""
    answer = api.send("POST", api.datasets, token=reader["token"], json=_BAD_FIELDS)
    expect.code(answer, 403, "permission_denied")


def check_scope_before_existence(api: Api, reader: Key) -> None:
    """Who may not delete anything does not learn what there is."""
    answer = api.send("DELETE", f"{api.datasets}{uuid.uuid4()}/", token=reader["token"])
    expect.code(answer, 403, "permission_denied")


def check_kind_before_fields(api: Api, key: Key) -> None:
    """The kind of token is checked before the fields."""
    expect.code(api.send("POST", api.api_keys, token=key["token"], json=_BAD_FIELDS), 403, "permission_denied")
