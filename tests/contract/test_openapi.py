"""The OpenAPI document tells of every answer, and every answer is as it tells: what generated requests get, too."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from keyhouse import create_app
from support.callers import access, key, new_item
from support.envelope import check_conventions, errors_of
from support.operations import OPERATIONS, Operation
from support.world import World, settings_for

ENVELOPE = {"$ref": "#/components/schemas/ErrorEnvelope"}
# How to send a case is told for another client, whose words for most of it are ours.
_OURS = {"method", "url", "params", "headers", "json", "data", "content"}
# What the document promises of an answer, and that it is no server error.
PROMISED: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(settings_for("sqlite:////nowhere")).openapi()


def described(document: dict[str, Any], operation: Operation) -> dict[str, Any]:
    return dict(document["paths"][operation.path][operation.method.lower()])


def schemas_in(value: Any) -> Iterator[dict[str, Any]]:
    """Every schema within a part of the document."""
    if isinstance(value, dict):
        if "type" in value or "$ref" in value or "anyOf" in value or "properties" in value:
            yield value
        for inner in value.values():
            yield from schemas_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from schemas_in(inner)


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    found = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert found == {(one.method, one.path) for one in OPERATIONS}
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)
    for item in document["paths"].values():
        for operation in item.values():
            assert operation["summary"]
            assert operation["description"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_every_answer_is_described(document: dict[str, Any], operation: Operation) -> None:
    answers = described(document, operation)["responses"]
    assert "default" not in answers
    assert "422" not in answers
    assert {str(status) for status in operation.statuses} <= answers.keys()
    expected = set()
    if operation.who != "anyone":
        expected |= {"401", "403", "503"}
    if operation.in_company:
        expected |= {"404"}
    if operation.method != "GET":
        expected |= {"400", "413", "415"}
    if operation.bad is not None:
        expected |= {"400"}
    assert expected <= answers.keys()
    for status, answer in answers.items():
        assert answer["description"]
        if status == "204":
            assert "content" not in answer
            continue
        schema = answer["content"]["application/json"]["schema"]
        assert list(answer["content"]) == ["application/json"]
        assert schema == ENVELOPE if int(status) >= 400 else schema not in ({}, ENVELOPE)
        assert ("WWW-Authenticate" in answer.get("headers", {})) == (status == "401")
        assert ("Retry-After" in answer.get("headers", {})) == (status in {"429", "503"})


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_every_operation_says_which_credentials_it_takes(document: dict[str, Any], operation: Operation) -> None:
    security = described(document, operation).get("security")
    expected = [{"bearer": [operation.scope] if operation.scope else []}]
    assert security == (None if operation.who == "anyone" else expected)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_every_body_has_a_type(document: dict[str, Any], operation: Operation) -> None:
    described_body = described(document, operation).get("requestBody")
    assert (described_body is None) == (operation.body is None)
    if described_body is not None:
        media_type = "application/x-www-form-urlencoded" if operation.form else "application/json"
        assert list(described_body["content"]) == [media_type]
        assert described_body["content"][media_type]["schema"] not in ({}, True)


def test_the_scheme_is_bearer(document: dict[str, Any]) -> None:
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")


def test_nothing_is_left_untyped(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert "type" in schema or "enum" in schema, name
        for field, inner in schema.get("properties", {}).items():
            assert {"type", "$ref", "anyOf", "const", "enum"} & inner.keys(), (name, field)
    envelope = document["components"]["schemas"]["ErrorEnvelope"]
    assert envelope["required"] == ["type", "errors"]
    assert document["components"]["schemas"]["ErrorEntry"]["required"] == ["code", "detail", "attr", "extra"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for body in ("ApiKeyCreation", "ApiKeyRotation", "RenameBody", "DatasetChange", "LogInBody"):
        schema = document["components"]["schemas"][body]
        assert schema["additionalProperties"] is False
        # What may be left out is no empty text then, and never null.
        assert not any(field.get("default", ...) in {"", None} for field in schema["properties"].values())


def test_secrets_are_told_to_be_such(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for body, field in (
        ("LogInBody", "password"),
        ("RefreshBody", "refresh_token"),
        ("PasswordBody", "new_password"),
        ("PasswordBody", "current_password"),
    ):
        assert schemas[body]["properties"][field]["format"] == "password"


DOCUMENT = openapi.from_dict(create_app(settings_for("sqlite:////nowhere")).openapi())


def cases(operation: Operation) -> st.SearchStrategy[tuple[Operation, Case]]:
    return DOCUMENT[operation.path][operation.method].as_strategy().map(lambda case: (operation, case))


@settings(
    max_examples=500,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
@given(
    drawn=st.one_of([cases(operation) for operation in OPERATIONS]), known=st.integers(0, 3), with_token=st.booleans()
)
async def test_generated_requests_get_what_is_described(
    shared: World, drawn: tuple[Operation, Case], known: int, *, with_token: bool
) -> None:
    operation, case = drawn
    if known and operation.in_company:
        # A company and an item that exist, or nothing but 404s would be seen.
        item = await new_item(shared, operation.item)
        case.path_parameters = {"company_id": shared.company.id, **({operation.item: item} if operation.item else {})}
    credential = key if operation.who == "API key" else access
    who = await credential(shared, shared.admin) if with_token else {}
    sent = case.as_transport_kwargs(base_url="http://keyhouse.test", headers=who)
    cookies = "; ".join(f"{name}={quote(str(value))}" for name, value in (sent.get("cookies") or {}).items())
    sent["headers"] = {**sent["headers"], **({"Cookie": cookies} if cookies else {})}
    answer = await shared.http.request(**{name: sent[name] for name in _OURS & sent.keys() if sent[name] is not None})
    case.validate_response(answer, checks=PROMISED)
    check_conventions(answer)
    if not answer.is_success:
        errors_of(answer)
    if not with_token and operation.who != "anyone":
        assert answer.status_code in {401, 404}
