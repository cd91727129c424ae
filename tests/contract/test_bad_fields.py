"""Contract sections 1 and 3: each field, each way to get it wrong, in the words of the table; nothing is changed."""

import json
from typing import Any

import pytest

from support.callers import access, new_item, stored
from support.envelope import errors_of
from support.world import World

REQUIRED = ("required", "This field is required.")
NULL = ("null", "This field may not be null.")
BLANK = ("blank", "This field may not be blank.")
TEXT = ("invalid", "Not a valid string.")
NUMBER = ("invalid", "A valid integer is required.")
CONTROL = ("invalid", "Control characters are not allowed.")
NUL = ("null_characters_not_allowed", "Null characters are not allowed.")
SURROGATE = ("surrogate_characters_not_allowed", "Surrogate characters are not allowed.")
UNEXPECTED = ("invalid", "Unexpected field.")
UNCHANGEABLE = ("invalid", "This field cannot be changed.")
EMAIL = ("invalid", "Enter a valid email address.")
PAST = ("invalid", "Expiration date must be in the future.")
DATETIME = (
    "invalid",
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].",
)
DATASETS, DATASET = "POST datasets/", "PATCH datasets/{dataset_id}/"
KEYS, KEY, ROTATE = "POST api-keys/", "PATCH api-keys/{key_id}/", "POST api-keys/{key_id}/rotate/"
TOKEN, REFRESH, PASSWORD = "POST /auth/token/", "POST /auth/token/refresh/", "POST /auth/password/"


def longest(n: int, unit: str = "characters") -> tuple[str, str]:
    return "max_length", f"Ensure this field has no more than {n} {unit}."


def choice(text: str) -> tuple[str, str]:
    return "invalid_choice", f'"{text}" is not a valid choice.'


def at_least(n: int) -> tuple[str, str]:
    return "min_value", f"Ensure this value is greater than or equal to {n}."


def at_most(n: int) -> tuple[str, str]:
    return "max_value", f"Ensure this value is less than or equal to {n}."


def no_list(kind: str) -> tuple[str, str]:
    return "not_a_list", f'Expected a list of items but got type "{kind}".'


Told = tuple[str, tuple[str, str]]
NAMES: list[tuple[str, Any, list[tuple[str, str]]]] = [
    ("null", None, [NULL]),
    ("blank", "", [BLANK]),
    ("spaces", " \t\n ", [BLANK]),
    ("101 characters", "x" * 101, [longest(100)]),
    ("101 emoji", "\U0001f511" * 101, [longest(100)]),
    ("a number", 5, [TEXT]),
    ("a float", 1.5, [TEXT]),
    ("a boolean", True, [TEXT]),
    ("a list", ["x"], [TEXT]),
    ("an empty list", [], [TEXT]),
    ("an object", {"x": 1}, [TEXT]),
    ("NUL", "a\0b", [NUL]),
    ("NUL at the end", "a\0", [NUL]),
    ("NUL and too long", "\0" + "x" * 100, [longest(100), NUL]),
    ("a lone surrogate", "a\ud800", [SURROGATE]),
    ("a low surrogate", "\udfff", [SURROGATE]),
    ("a reversed pair", "\ude00\ud83d", [SURROGATE]),
    ("a line break", "a\nb", [CONTROL]),
    ("a tab", "a\tb", [CONTROL]),
    ("ESC", "a\x1b[31mb", [CONTROL]),
    ("DEL", "a\x7fb", [CONTROL]),
    ("a C1 control", "a\x9bb", [CONTROL]),
]
MOMENTS: list[tuple[str, Any, tuple[str, str]]] = [
    ("null", None, NULL),
    ("blank", "", DATETIME),
    ("a word", "tomorrow", DATETIME),
    ("a date", "2099-01-01", DATETIME),
    ("without an offset", "2099-01-01T00:00:00", DATETIME),
    ("a space between", "2099-01-01 00:00:00Z", DATETIME),
    ("compact", "20990101T000000Z", DATETIME),
    ("a week date", "2099-W01-1T00:00:00Z", DATETIME),
    ("an ordinal date", "2099-001T00:00:00Z", DATETIME),
    ("an offset without a colon", "2099-01-01T00:00:00+0200", DATETIME),
    ("an offset of hours", "2099-01-01T00:00:00+02", DATETIME),
    ("an offset too large", "2099-01-01T00:00:00+25:00", DATETIME),
    ("a 13th month", "2099-13-01T00:00:00Z", DATETIME),
    ("30 February", "2099-02-30T00:00:00Z", DATETIME),
    ("hour 24", "2099-01-01T24:00:01Z", DATETIME),
    ("minute 60", "2099-01-01T00:60:00Z", DATETIME),
    ("second 61", "2099-01-01T00:00:61Z", DATETIME),
    ("year 0", "0000-01-01T00:00:00Z", DATETIME),
    ("year 10000", "10000-01-01T00:00:00Z", DATETIME),
    ("a sign", "+2099-01-01T00:00:00Z", DATETIME),
    ("spaces", " 2099-01-01T00:00:00Z", DATETIME),
    ("a line break", "2099-01-01T00:00:00Z\n", DATETIME),
    ("NUL", "2099-01-01T00:00:00Z\0", DATETIME),
    ("a lone surrogate", "2099-01-01T00:00:00\ud800", DATETIME),
    ("Arabic digits", "٢٠٩٩-01-01T00:00:00Z", DATETIME),
    ("a comma", "2099-01-01T00:00:00,5Z", DATETIME),
    ("an epoch number", 4070908800, DATETIME),
    ("an epoch float", 4070908800.5, DATETIME),
    ("an epoch text", "4070908800", DATETIME),
    ("a huge number", 1 << 62, DATETIME),
    ("a boolean", True, DATETIME),
    ("a list", ["2099-01-01T00:00:00Z"], DATETIME),
    ("an object", {}, DATETIME),
    ("past", "2001-01-01T00:00:00Z", PAST),
    ("year 1 with an offset", "0001-01-01T00:00:00+14:00", PAST),
    (
        "year 9999 with an offset",
        "9999-12-31T23:59:59-14:00",
        ("invalid", "Expiration date must be at most 31622400 seconds ahead."),
    ),
]
SECONDS: list[tuple[str, Any, tuple[str, str]]] = [
    ("null", None, NULL),
    ("a text", "3600", NUMBER),
    ("a word", "30d", NUMBER),
    ("a float", 3600.5, NUMBER),
    ("a whole float", 3600.0, NUMBER),
    ("a boolean", True, NUMBER),
    ("a list", [3600], NUMBER),
    ("an object", {}, NUMBER),
    ("0", 0, at_least(60)),
    ("negative", -1, at_least(60)),
    ("59", 59, at_least(60)),
    ("over the limit", 31622401, at_most(31622400)),
    ("the largest", (1 << 63) - 1, at_most(31622400)),
    ("the smallest", -(1 << 63), at_least(60)),
]
SCOPES: list[tuple[str, Any, list[Told]]] = [
    ("null", None, [("scopes", NULL)]),
    ("empty", [], [("scopes", ("empty", "This list may not be empty."))]),
    ("a text", "datasets:read", [("scopes", no_list("str"))]),
    ("a number", 1, [("scopes", no_list("int"))]),
    ("an object", {"0": "datasets:read"}, [("scopes", no_list("dict"))]),
    ("a boolean", True, [("scopes", no_list("bool"))]),
    ("one of two bad", ["datasets:read", "fly"], [("scopes.1", choice("fly"))]),
    ("two bad", ["fly", "datasets:read", "7"], [("scopes.0", choice("fly")), ("scopes.2", choice("7"))]),
    ("null within", [None], [("scopes.0", NULL)]),
    ("a number within", [7], [("scopes.0", choice("7"))]),
    ("a list within", [["datasets:read"]], [("scopes.0", choice("['datasets:read']"))]),
    ("blank within", [""], [("scopes.0", choice(""))]),
    ("in another case", ["Datasets:Read"], [("scopes.0", choice("Datasets:Read"))]),
    ("two in one", ["datasets:read datasets:write"], [("scopes.0", choice("datasets:read datasets:write"))]),
    ("NUL within", ["datasets:read\0"], [("scopes.0", choice("datasets:read\0"))]),
    ("long within", ["x" * 1000], [("scopes.0", choice("x" * 100))]),
    ("a surrogate within", ["\ud800"], [("scopes.0", SURROGATE)]),
    ("many", ["datasets:read"] * 101, [("scopes", longest(100, "elements"))]),
]
KEY_BODY = {"name": "Key", "expires_in": 3600}
PASSWORDS = {"current_password": "x", "new_password": "fifteen or more of them"}
LOG_IN = {"email": "admin@example.com", "password": "x"}
OTHERS: list[tuple[str, str, Any, list[Told]]] = [
    (DATASETS, "nothing", {}, [("name", REQUIRED)]),
    (DATASETS, "a null description", {"name": "x", "description": None}, [("description", NULL)]),
    (DATASETS, "a number for a description", {"name": "x", "description": 1}, [("description", TEXT)]),
    (DATASETS, "ESC in a description", {"name": "x", "description": "a\x1b"}, [("description", CONTROL)]),
    (DATASETS, "NUL in a description", {"name": "x", "description": "a\0"}, [("description", NUL)]),
    (DATASETS, "a surrogate in a description", {"name": "x", "description": "\ud800"}, [("description", SURROGATE)]),
    (DATASETS, "a long description", {"name": "x", "description": "x" * 10001}, [("description", longest(10000))]),
    (DATASETS, "an unknown field", {"name": "x", "status": "draft"}, [("status", UNEXPECTED)]),
    (DATASETS, "an unknown field that is null", {"name": "x", "status": None}, [("status", UNEXPECTED)]),
    (DATASETS, "an id", {"name": "x", "id": "1"}, [("id", UNEXPECTED)]),
    (DATASETS, "two things", {"description": 1}, [("name", REQUIRED), ("description", TEXT)]),
    (
        DATASETS,
        "unknown fields with dots, in the order of the body",
        {"name": "x", "a.b.c": 1, "d": 2},
        [("a.b.c", UNEXPECTED), ("d", UNEXPECTED)],
    ),
    (DATASETS, "a name that is a surrogate", {"name": "x", "\ud800": 1}, [("non_field_errors", SURROGATE)]),
    (DATASETS, "a long name of a field", {"name": "x", "f" * 500: 1}, [("f" * 100, UNEXPECTED)]),
    (DATASET, "an unknown field", {"company_id": "x"}, [("company_id", UNEXPECTED)]),
    (DATASET, "a null name", {"name": None}, [("name", NULL)]),
    (KEYS, "nothing", {}, [("name", REQUIRED), ("expires_at", REQUIRED)]),
    (KEYS, "no expiry", {"name": "x"}, [("expires_at", REQUIRED)]),
    (
        KEYS,
        "both expiries",
        {**KEY_BODY, "expires_at": "2099-01-01T00:00:00Z"},
        [("expires_in", ("invalid", "Give either expires_at or expires_in, not both."))],
    ),
    (
        KEYS,
        "many things, in their order",
        {"scopes": ["fly"], "expires_at": "zzz", "name": "", "token": "x"},
        [("name", BLANK), ("expires_at", DATETIME), ("token", UNEXPECTED), ("scopes.0", choice("fly"))],
    ),
    (KEY, "nothing", {}, [("name", REQUIRED)]),
    (KEY, "an unknown field", {"token": "x"}, [("name", REQUIRED), ("token", UNEXPECTED)]),
    (
        KEY,
        "two that stay",
        {"name": "x", "expires_at": None, "scopes": []},
        [("expires_at", UNCHANGEABLE), ("scopes", UNCHANGEABLE)],
    ),
    (ROTATE, "nothing", {}, [("expires_at", REQUIRED)]),
    (ROTATE, "a name", {"expires_in": 3600, "name": "x"}, [("name", UNEXPECTED)]),
    (ROTATE, "a negative overlap", {"expires_in": 3600, "overlap": -1}, [("overlap", at_least(0))]),
    (ROTATE, "a long overlap", {"expires_in": 3600, "overlap": 604801}, [("overlap", at_most(604800))]),
    (ROTATE, "a null overlap", {"expires_in": 3600, "overlap": None}, [("overlap", NULL)]),
    (ROTATE, "a text for an overlap", {"expires_in": 3600, "overlap": "60"}, [("overlap", NUMBER)]),
    (TOKEN, "nothing", {}, [("email", REQUIRED), ("password", REQUIRED)]),
    (TOKEN, "nulls", {"email": None, "password": None}, [("email", NULL), ("password", NULL)]),
    (TOKEN, "numbers", {"email": 1, "password": 2}, [("email", TEXT), ("password", TEXT)]),
    (TOKEN, "no address", {**LOG_IN, "email": "x"}, [("email", EMAIL)]),
    (TOKEN, "a blank address", {**LOG_IN, "email": " "}, [("email", BLANK)]),
    (TOKEN, "NUL in the address", {**LOG_IN, "email": "admin\0@example.com"}, [("email", EMAIL)]),
    (TOKEN, "a surrogate in the address", {**LOG_IN, "email": "\ud800@example.com"}, [("email", SURROGATE)]),
    (TOKEN, "a long address", {**LOG_IN, "email": "x" * 300 + "@example.com"}, [("email", EMAIL)]),
    (TOKEN, "a surrogate in the password", {**LOG_IN, "password": "\ud800"}, [("password", SURROGATE)]),
    (TOKEN, "a long password", {**LOG_IN, "password": "x" * 4097}, [("password", longest(4096))]),
    (TOKEN, "an unknown field", {**LOG_IN, "remember": True}, [("remember", UNEXPECTED)]),
    (TOKEN, "another kind of session", {**LOG_IN, "session": "local"}, [("session", choice("local"))]),
    (REFRESH, "nothing", {}, [("refresh_token", REQUIRED)]),
    (REFRESH, "null", {"refresh_token": None}, [("refresh_token", NULL)]),
    (REFRESH, "a surrogate", {"refresh_token": "khr_\ud800"}, [("refresh_token", SURROGATE)]),
    (REFRESH, "a long one", {"refresh_token": "x" * 4097}, [("refresh_token", longest(4096))]),
    (PASSWORD, "nothing", {}, [("current_password", REQUIRED), ("new_password", REQUIRED)]),
    (
        PASSWORD,
        "a short one",
        {**PASSWORDS, "new_password": "x" * 14},
        [("new_password", ("min_length", "Ensure this field has at least 15 characters."))],
    ),
    (PASSWORD, "a long one", {**PASSWORDS, "new_password": "x" * 257}, [("new_password", longest(256))]),
    (
        PASSWORD,
        "a common one",
        {**PASSWORDS, "new_password": "passwordpassword"},
        [("new_password", ("invalid", "This password is too common."))],
    ),
    (PASSWORD, "a null one", {**PASSWORDS, "new_password": None}, [("new_password", NULL)]),
    (PASSWORD, "a list", {**PASSWORDS, "new_password": ["x"]}, [("new_password", TEXT)]),
    (PASSWORD, "a wrong one", PASSWORDS, [("current_password", ("invalid", "The password is wrong."))]),
]
OTHERS += [
    (KEY, f"{name} stays", {name: "x"}, [(name, UNCHANGEABLE)])
    for name in (
        "id",
        "company_id",
        "created_by",
        "scopes",
        "hint",
        "status",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
        "retires_at",
        "replaces",
        "replaced_by",
    )
]


def cases() -> list[tuple[str, str, Any, list[Told]]]:
    made = list(OTHERS)
    for operation, more in ((DATASETS, {}), (DATASET, {}), (KEYS, {"expires_in": 3600}), (KEY, {})):
        made += [
            (operation, f"name: {why}", {**more, "name": value}, [("name", one) for one in told])
            for why, value, told in NAMES
        ]
    for operation, more in ((KEYS, {"name": "x"}), (ROTATE, {})):
        made += [
            (operation, f"expires_at: {why}", {**more, "expires_at": value}, [("expires_at", told)])
            for why, value, told in MOMENTS
        ]
        made += [
            (operation, f"expires_in: {why}", {**more, "expires_in": value}, [("expires_in", told)])
            for why, value, told in SECONDS
        ]
    made += [(KEYS, f"scopes: {why}", {**KEY_BODY, "scopes": value}, told) for why, value, told in SCOPES]
    return made


@pytest.mark.parametrize(
    ("operation", "why", "body", "told"), cases(), ids=lambda value: value if isinstance(value, str) else ""
)
async def test_a_bad_field(shared: World, operation: str, why: str, body: Any, told: list[Told]) -> None:  # noqa: ARG001 - it names the case
    method, path = operation.split()
    path = f"/api/v1{path}" if path.startswith("/") else f"{shared.base}/{path}"
    for item in ("key_id", "dataset_id"):
        if f"{{{item}}}" in path:
            path = path.replace(f"{{{item}}}", await new_item(shared, item))
    who = await access(shared, shared.admin)
    before = await stored(shared)
    # As the standard library writes it: lone surrogates as escapes.
    answer = await shared.request(
        method, path, who, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert [(one["attr"], (one["code"], one["detail"])) for one in errors_of(answer)] == told
    assert await stored(shared) == before
