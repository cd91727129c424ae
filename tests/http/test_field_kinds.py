"""The words for every kind of field that an embedding application may declare, as Django REST framework has them."""

import enum
import json
import re
import shutil
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic
import pytest
from fastapi import APIRouter, Query
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    IPvAnyAddress,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from keyhouse.http import validation
from support.envelope import CODES, errors_of
from support.world import World, settings_for, world_of

DATETIME = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)


class Colour(enum.StrEnum):
    RED = "red"


class Child(BaseModel):
    model_config = ConfigDict(extra="forbid")
    email: EmailStr
    n: int = 0


class Kinds(BaseModel):
    model_config = ConfigDict(extra="forbid")
    s: Annotated[str, Field(min_length=3, max_length=5)] = "abc"
    t: Annotated[str, Field(min_length=1)] = "t"
    i: Annotated[int, Field(ge=1, le=10)] = 1
    g: Annotated[int, Field(gt=0, lt=10)] = 1
    f: float = 1.0
    b: bool = True
    u: UUID | None = None
    at: datetime | None = None
    aware: AwareDatetime | None = None
    day: date | None = None
    colour: Colour = Colour.RED
    choice: Literal["a", "b"] = "a"
    lst: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    two: Annotated[list[int], Field(min_length=2)] = [1, 2]
    nested_lst: list[list[int]] = []
    dct: dict[str, int] = {}
    child: Child = Child(email="a@b.co")
    children: list[Child] = []
    ip: IPvAnyAddress | None = None
    odd: int = 1
    taken: str = ""
    pattern: Annotated[str, Field(pattern="^[a-z]+$")] = "a"

    @field_validator("odd")
    @classmethod
    def _is_odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("Even is right out.")
        return value

    @field_validator("taken")
    @classmethod
    def _is_free(cls, value: str) -> str:
        if value:
            raise PydanticCustomError("unique", "A dataset with this name already exists.")
        return value

    @model_validator(mode="after")
    def _together(self) -> "Kinds":
        if self.i == 8:
            raise PydanticCustomError("clash", "{one} and {other} clash.", {"one": "i", "other": "s"})
        if self.i == 7:
            raise ValueError("Seven is right out.")
        return self


def routes() -> APIRouter:
    router = APIRouter(prefix="/api/v1/kinds")

    @router.post("/")
    async def take(body: Kinds) -> int:
        return body.i

    @router.post("/many/")
    async def take_many(body: list[Child]) -> int:
        return len(body)

    @router.get("/{number}/")
    async def read(number: int, flag: bool = False, many: Annotated[list[int] | None, Query()] = None) -> int:  # noqa: FBT001, FBT002 - a query
        return number + flag + sum(many or [])

    return router


@pytest.fixture(scope="module")
async def kinds(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("kinds"))
    async with world_of(settings_for(f"sqlite:///{path}"), routers=[routes()]) as made:
        yield made


REQUIRED = "This field is required."
NULL = "This field may not be null."
INTEGER = "A valid integer is required."
CASES: list[tuple[dict[str, Any], list[tuple[str, str, str]]]] = [
    ({"s": "ab"}, [("s", "min_length", "Ensure this field has at least 3 characters.")]),
    ({"s": "abcdef"}, [("s", "max_length", "Ensure this field has no more than 5 characters.")]),
    ({"s": ""}, [("s", "min_length", "Ensure this field has at least 3 characters.")]),
    ({"s": None}, [("s", "null", NULL)]),
    ({"s": 5}, [("s", "invalid", "Not a valid string.")]),
    ({"t": ""}, [("t", "blank", "This field may not be blank.")]),
    ({"i": "x"}, [("i", "invalid", INTEGER)]),
    ({"i": 1.5}, [("i", "invalid", INTEGER)]),
    ({"i": ""}, [("i", "invalid", INTEGER)]),
    ({"i": []}, [("i", "invalid", INTEGER)]),
    ({"i": 0}, [("i", "min_value", "Ensure this value is greater than or equal to 1.")]),
    ({"i": 11}, [("i", "max_value", "Ensure this value is less than or equal to 10.")]),
    ({"g": 0}, [("g", "min_value", "Ensure this value is greater than or equal to 0.")]),
    ({"g": 10}, [("g", "max_value", "Ensure this value is less than or equal to 10.")]),
    ({"f": "x"}, [("f", "invalid", "A valid number is required.")]),
    ({"b": "maybe"}, [("b", "invalid", "Must be a valid boolean.")]),
    ({"b": 2}, [("b", "invalid", "Must be a valid boolean.")]),
    ({"b": None}, [("b", "null", NULL)]),
    ({"b": []}, [("b", "invalid", "Must be a valid boolean.")]),
    ({"u": "x"}, [("u", "invalid", "Must be a valid UUID.")]),
    ({"u": []}, [("u", "invalid", "Must be a valid UUID.")]),
    ({"at": "x"}, [("at", "invalid", DATETIME)]),
    ({"at": []}, [("at", "invalid", DATETIME)]),
    ({"aware": "2030-01-01T00:00:00"}, [("aware", "invalid", DATETIME)]),
    ({"day": "x"}, [("day", "invalid", "Invalid value.")]),
    ({"colour": "blue"}, [("colour", "invalid_choice", '"blue" is not a valid choice.')]),
    ({"choice": "c"}, [("choice", "invalid_choice", '"c" is not a valid choice.')]),
    ({"choice": ["a"]}, [("choice", "invalid_choice", "\"['a']\" is not a valid choice.")]),
    ({"choice": None}, [("choice", "null", NULL)]),
    ({"lst": "1"}, [("lst", "not_a_list", 'Expected a list of items but got type "str".')]),
    ({"lst": []}, [("lst", "empty", "This list may not be empty.")]),
    ({"lst": [1, 2, 3]}, [("lst", "max_length", "Ensure this field has no more than 2 elements.")]),
    ({"two": [1]}, [("two", "min_length", "Ensure this field has at least 2 elements.")]),
    ({"lst": ["x", "y"]}, [("lst.0", "invalid", INTEGER), ("lst.1", "invalid", INTEGER)]),
    ({"nested_lst": [[1], ["x"]]}, [("nested_lst.1.0", "invalid", INTEGER)]),
    ({"nested_lst": ["x"]}, [("nested_lst.0", "not_a_list", 'Expected a list of items but got type "str".')]),
    ({"dct": {"k": "x", "a.b": "y"}}, [("dct.k", "invalid", INTEGER), ("dct.a.b", "invalid", INTEGER)]),
    ({"child": 5}, [("child.non_field_errors", "invalid", "Invalid data. Expected a dictionary, but got int.")]),
    ({"child": []}, [("child.non_field_errors", "invalid", "Invalid data. Expected a dictionary, but got list.")]),
    ({"child": {}}, [("child.email", "required", REQUIRED)]),
    ({"child": None}, [("child", "null", NULL)]),
    ({"child": {"email": "a@b.co", "x": 1}}, [("child.x", "invalid", "Unexpected field.")]),
    (
        {"children": [{"email": "a@b.co"}, 5]},
        [("children.1.non_field_errors", "invalid", "Invalid data. Expected a dictionary, but got int.")],
    ),
    ({"children": {}}, [("children", "not_a_list", 'Expected a list of items but got type "dict".')]),
    ({"odd": 2}, [("odd", "invalid", "Even is right out.")]),
    ({"taken": "x"}, [("taken", "unique", "A dataset with this name already exists.")]),
    ({"i": 7}, [("non_field_errors", "invalid", "Seven is right out.")]),
    ({"i": 8}, [("non_field_errors", "clash", "i and s clash.")]),
    ({"ip": "x"}, [("ip", "invalid", "Invalid value.")]),
    ({"pattern": "A1"}, [("pattern", "invalid", "Invalid value.")]),
    ({"x": None}, [("x", "invalid", "Unexpected field.")]),
    (
        # Shallow paths first, within a depth as they are declared.
        {"children": [{"email": "a@b.co", "n": "x"}], "child": {}, "lst": ["x"], "i": 0, "s": "ab"},
        [
            ("s", "min_length", "Ensure this field has at least 3 characters."),
            ("i", "min_value", "Ensure this value is greater than or equal to 1."),
            ("lst.0", "invalid", INTEGER),
            ("child.email", "required", REQUIRED),
            ("children.0.n", "invalid", INTEGER),
        ],
    ),
]


@pytest.mark.parametrize(("body", "told"), CASES, ids=lambda value: json.dumps(value)[:40])
async def test_a_kind_of_field(kinds: World, body: dict[str, Any], told: list[tuple[str, str, str]]) -> None:
    answer = await kinds.request("POST", "/api/v1/kinds/", json=body)
    assert answer.status_code == 400
    entries = answer.json()["errors"]
    assert [(entry["attr"], entry["code"], entry["detail"]) for entry in entries] == told
    if all(entry["code"] in CODES for entry in entries):
        errors_of(answer)


async def test_an_address_is_told_without_why(kinds: World) -> None:
    """Whatever its validator thinks, no text of Pydantic's reaches a client."""
    for email in ("x", "a@b", "a b@c.de", "@", "x" * 500):
        answer = await kinds.request("POST", "/api/v1/kinds/", json={"child": {"email": email}})
        (entry,) = errors_of(answer)
        assert (entry["attr"], entry["code"], entry["detail"]) == (
            "child.email",
            "invalid",
            "Enter a valid email address.",
        )


async def test_a_list_for_a_body(kinds: World) -> None:
    for body, told in (
        ([{"email": "a@b.co"}, {}], [("1.email", "required")]),
        ([{"email": "a@b.co"}, 5], [("1.non_field_errors", "invalid")]),
        ({}, [("non_field_errors", "not_a_list")]),
        ("x", [("non_field_errors", "not_a_list")]),
        (None, [("non_field_errors", "null")]),
    ):
        answer = await kinds.request(
            "POST",
            "/api/v1/kinds/many/",
            content=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        assert [(entry["attr"], entry["code"]) for entry in errors_of(answer)] == told


async def test_paths_and_queries(kinds: World) -> None:
    assert (await kinds.request("GET", "/api/v1/kinds/x/")).status_code == 404
    assert (await kinds.request("GET", "/api/v1/kinds/x/?flag=maybe")).status_code == 404
    answer = await kinds.request("GET", "/api/v1/kinds/1/?flag=maybe&many=1&many=x")
    assert [(entry["attr"], entry["detail"]) for entry in errors_of(answer)] == [
        ("flag", "Must be a valid boolean."),
        ("many", INTEGER),
    ]


def test_every_finding_of_pydantics_is_known_as_such() -> None:
    """Also those that it raises in Python: their texts are not for clients."""
    folder = Path(pydantic.__file__).parent
    sources = [path.read_text() for path in folder.rglob("*.py") if "v1" not in path.relative_to(folder).parts]
    raised = {name for source in sources for name in re.findall(r"PydanticCustomError\(\s*['\"](\w+)['\"]", source)}
    assert raised
    assert raised <= validation._PYDANTICS
