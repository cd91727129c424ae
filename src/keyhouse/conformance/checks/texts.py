"""Names and descriptions, unknown fields, and several mistakes at once."""

from typing import Any

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.api import AUTH, Api

pytestmark = pytest.mark.contract("1")

_BAD_NAMES: dict[str, tuple[Any, str]] = {
    "null": (None, "null"),
    "empty": ("", "blank"),
    "spaces": ("  \t ", "blank"),
    "101 characters": ("x" * 101, "max_length"),
    "a number": (5, "invalid"),
    "true": (True, "invalid"),
    "a list": (["x"], "invalid"),
    "an object": ({}, "invalid"),
    "NUL": ("a\0b", "null_characters_not_allowed"),
    "a control character": ("a\x07b", "invalid"),
    "a line break": ("a\nb", "invalid"),
}


def check_trimmed(api: Api, access: str) -> None:
    """Names and descriptions are trimmed."""
    answer = api.send("POST", api.datasets, token=access, json={"name": "  Spaced ", "description": "\n text\n"})
    expect.status(answer, 201)
    expect.same(answer.asked, "name", "Spaced", answer.get("name"))
    expect.same(answer.asked, "description", "text", answer.get("description"))


@pytest.mark.parametrize(
    "name", ["x", "x" * 100, "🙂" * 100, "Ünïcödé 数据"], ids=["1", "100", "100 emoji", "any script"]
)
def check_good_names(api: Api, access: str, name: str) -> None:
    """A name is 1 to 100 characters of any script."""
    answer = expect.status(api.send("POST", api.datasets, token=access, json={"name": name}), 201)
    expect.same(answer.asked, "name", name, answer.get("name"))


@pytest.mark.parametrize(("name", "code"), _BAD_NAMES.values(), ids=_BAD_NAMES)
def check_bad_names(api: Api, access: str, name: Any, code: str) -> None:
    """Anything else is 400 at name."""
    expect.invalid(api.send("POST", api.datasets, token=access, json={"name": name}), (code, "name"))


def check_lines(api: Api, access: str) -> None:
    """A description may have line breaks and tabs."""
    text = "one\n\ttwo"
    answer = expect.status(api.send("POST", api.datasets, token=access, json={"name": "x", "description": text}), 201)
    expect.same(answer.asked, "description", text, answer.get("description"))


@pytest.mark.parametrize(
    ("text", "code"), [("a\0b", "null_characters_not_allowed"), ("a\x1bb", "invalid")], ids=["NUL", "ESC"]
)
def check_bad_description(api: Api, access: str, text: str, code: str) -> None:
    """A description has no other control characters."""
    answer = api.send("POST", api.datasets, token=access, json={"name": "x", "description": text})
    expect.invalid(answer, (code, "description"))


def check_unknown_field(api: Api, access: str) -> None:
    """An unknown field is refused, by its name."""
    answer = api.send("POST", api.datasets, token=access, json={"name": "x", "colour": "red"})
    expect.invalid(answer, ("invalid", "colour"))


def check_unknown_field_of_a_log_in(api: Api) -> None:
    """An unknown field of a log-in is refused, by its name."""
    body = {"email": "nobody@example.com", "password": "no password at all", "remember": True}
    answer = api.patiently(lambda: api.send("POST", f"{AUTH}/token/", json=body))
    expect.invalid(answer, ("invalid", "remember"))


def check_several(api: Api, access: str) -> None:
    """Everything that is wrong is told at once."""
    answer = api.send("POST", api.datasets, token=access, json={"name": "", "description": None, "colour": "red"})
    expect.invalid(answer, ("blank", "name"), ("null", "description"), ("invalid", "colour"))
