"""Contract section 1: bodies that are no JSON object of ours, whatever else they are; nothing is changed."""

import gzip
import json
from collections.abc import AsyncIterator

import pytest

from support.callers import access, new_item, stored
from support.envelope import assert_error, errors_of
from support.operations import OPERATIONS, Operation
from support.world import World

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TAKING_JSON = [one for one in OPERATIONS if one.body is not None and not one.form]
TAKING_FORMS = [one for one in OPERATIONS if one.form]
PLAIN = "JSON parse error."


def at(text: str, line: int, column: int, char: int) -> str:
    return f"JSON parse error - {text}: line {line} column {column} (char {char})"


# What is no JSON, with what is told of it.
UNREADABLE: dict[str, tuple[bytes, str]] = {
    "cut off": (b'{"name": ', at("Expecting value", 1, 10, 9)),
    "an open brace": (b"{", at("Expecting property name enclosed in double quotes", 1, 2, 1)),
    "a comma at the end": (b'{"name": "x",}', at("Expecting property name enclosed in double quotes", 1, 14, 13)),
    "single quotes": (b"{'name': 'x'}", at("Expecting property name enclosed in double quotes", 1, 2, 1)),
    "two values": (b'{"name": "x"} {}', at("Extra data", 1, 15, 14)),
    "spaces alone": (b"  ", at("Expecting value", 1, 3, 2)),
    "a word": (b"name", at("Expecting value", 1, 1, 0)),
    "a comment": (b'{"name": "x"} // x', at("Extra data", 1, 15, 14)),
    "a raw control character": (b'{"name": "a\x01b"}', at("Invalid control character at", 1, 12, 11)),
    "a raw line break in a text": (b'{"name": "a\nb"}', at("Invalid control character at", 1, 12, 11)),
    "a bad escape": (b'{"name": "\\x41"}', at("Invalid \\escape", 1, 11, 10)),
    "half an escape": (b'{"name": "\\u00"}', at("Invalid \\uXXXX escape", 1, 12, 11)),
    "on the third line": (b'{\n"name":\nx}', at("Expecting value", 3, 1, 10)),
    "NaN": (b'{"name": NaN}', PLAIN),
    "Infinity": (b'{"name": Infinity}', PLAIN),
    "-Infinity": (b'{"name": -Infinity}', PLAIN),
    "1e400": (b'{"name": 1e400}', PLAIN),
    "-1e400": (b'{"name": [[-1e400]]}', PLAIN),
    "2^63": (b'{"name": 9223372036854775808}', PLAIN),
    "-2^63 - 1": (b'{"name": -9223372036854775809}', PLAIN),
    "5,000 digits": (b'{"name": ' + b"9" * 5000 + b"}", PLAIN),
    "a fraction of 5,000 digits": (b'{"name": ' + b"9" * 5000 + b".5}", PLAIN),
    "a name twice": (b'{"name": "a", "name": "b"}', PLAIN),
    "a name twice, once escaped": (b'{"name": "a", "n\\u0061me": "b"}', PLAIN),
    "a name twice within": (b'{"name": {"x": 1, "x": 1}}', PLAIN),
    "a BOM": (b'\xef\xbb\xbf{"name": "x"}', at("Unexpected UTF-8 BOM (decode using utf-8-sig)", 1, 1, 0)),
    "UTF-16": ('{"name": "x"}'.encode("utf-16"), PLAIN),
    "UTF-16 without a BOM": (
        '{"name": "x"}'.encode("utf-16-le"),
        at("Expecting property name enclosed in double quotes", 1, 2, 1),
    ),
    "UTF-32": ('{"name": "x"}'.encode("utf-32"), PLAIN),
    "a byte that is no UTF-8": (b'{"name":"\xff"}', PLAIN),
    "an encoded surrogate": (b'{"name":"\xed\xa0\x80"}', PLAIN),
    "an overlong slash": (b'{"name":"\xc0\xaf"}', PLAIN),
    "NUL": (b"\0", at("Expecting value", 1, 1, 0)),
    "5,000 lists": (b"[" * 5000, PLAIN),
    "60,000 lists": (b"[" * 60_000, PLAIN),
    "closed lists": (b"[" * 30_000 + b"]" * 30_000, PLAIN),
    "nested objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, PLAIN),
}
# JSON, and no object.
ROOTS: dict[str, tuple[bytes, str, str]] = {
    "null": (b"null", "null", "No data provided."),
    "an empty list": (b"[]", "invalid", "Invalid data. Expected a dictionary, but got list."),
    "a list": (b'[{"name": "x"}]', "invalid", "Invalid data. Expected a dictionary, but got list."),
    "a text": (b'"name"', "invalid", "Invalid data. Expected a dictionary, but got str."),
    "an empty text": (b'""', "invalid", "Invalid data. Expected a dictionary, but got str."),
    "a number": (b"5", "invalid", "Invalid data. Expected a dictionary, but got int."),
    "zero": (b"0", "invalid", "Invalid data. Expected a dictionary, but got int."),
    "a float": (b"1.5", "invalid", "Invalid data. Expected a dictionary, but got float."),
    "true": (b"true", "invalid", "Invalid data. Expected a dictionary, but got bool."),
    "false": (b"false", "invalid", "Invalid data. Expected a dictionary, but got bool."),
}
MEDIA_TYPES = [
    "text/plain",
    "text/json",
    "application/vnd.api+json",
    "application/json-patch+json",
    "application/x-json",
    "application/*",
    "application/json, application/json",
    "application/json; charset=latin-1",
    "application/json; charset=utf-16",
    'application/json; charset="bogus"',
    "application/xml",
    "multipart/form-data; boundary=b",
    "application/x-www-form-urlencoded",
    "application",
    "",
    "\xff",
]
ENCODINGS = ["gzip", "deflate", "br", "zstd", "compress", "GZIP", "gzip, identity", "identity, gzip", "utf-8", ""]


async def path_of(world: World, operation: Operation) -> str:
    item = await new_item(world, operation.item)
    return operation.path.replace("{company_id}", world.company.id).replace(f"{{{operation.item}}}", item)


@pytest.mark.parametrize("why", UNREADABLE)
async def test_what_is_no_json(shared: World, why: str) -> None:
    content, detail = UNREADABLE[why]
    who = await access(shared, shared.admin)
    paths = [await path_of(shared, operation) for operation in TAKING_JSON]
    before = await stored(shared)
    for operation, path in zip(TAKING_JSON, paths, strict=True):
        answer = await shared.request(operation.method, path, who, content=content, headers=JSON)
        assert_error(answer, "parse_error", detail=detail)
    assert await stored(shared) == before


@pytest.mark.parametrize("why", ROOTS)
async def test_what_is_no_object(shared: World, why: str) -> None:
    content, code, detail = ROOTS[why]
    who = await access(shared, shared.admin)
    for operation in TAKING_JSON:
        path = await path_of(shared, operation)
        answer = await shared.request(operation.method, path, who, content=content, headers=JSON)
        assert_error(answer, code, detail=detail, attr="non_field_errors")


@pytest.mark.parametrize("depth", [*range(1, 30), *range(100, 1100, 50), *range(930, 1000)])
async def test_a_depth_that_one_parser_takes_and_the_next_does_not(
    shared_nesting: tuple[World, str, dict[str, str]], depth: int
) -> None:
    """Wherever the recursion ends, in the parser, the validator or the text of the answer: it is a 400."""
    world, path, who = shared_nesting
    nested = "[" * depth + "]" * depth
    for body in (
        f'{{"name":"x","expires_in":3600,"scopes":[{nested}]}}',
        f'{{"name":{nested}}}',
        f'{{"x":{nested}}}',
        nested,
    ):
        answer = await world.request("POST", path, who, content=body.encode(), headers=JSON)
        assert answer.status_code == 400
        errors_of(answer)


@pytest.fixture
async def shared_nesting(shared: World) -> tuple[World, str, dict[str, str]]:
    return shared, f"{shared.base}/api-keys/", await access(shared, shared.admin)


@pytest.mark.parametrize("headers", [JSON, FORM, {"Content-Type": "text/plain"}, {}], ids=str)
async def test_no_body_is_an_empty_object(shared: World, headers: dict[str, str]) -> None:
    who = await access(shared, shared.admin)
    for operation in TAKING_JSON:
        path = await path_of(shared, operation)
        required = await shared.request(operation.method, path, who, content=b"{}", headers=JSON)
        for content in (b"", nothing()):
            answer = await shared.request(operation.method, path, who, content=content, headers=headers)
            assert answer.status_code == required.status_code
            if answer.is_success:
                assert operation.method == "PATCH"
                continue
            assert answer.content == required.content
            assert {entry["code"] for entry in errors_of(answer)} == {"required"}


async def nothing() -> AsyncIterator[bytes]:
    """A chunked body without a chunk."""
    return
    yield b""


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
async def test_another_media_type(shared: World, media_type: str) -> None:
    who = await access(shared, shared.admin)
    paths = [await path_of(shared, operation) for operation in TAKING_JSON]
    before = await stored(shared)
    for operation, path in zip(TAKING_JSON, paths, strict=True):
        content = json.dumps(operation.body).encode()
        raw = [(b"content-type", media_type.encode("latin-1"))]
        raw += [(name.lower().encode(), value.encode()) for name, value in who.items()]
        answer = await shared.http.request(operation.method, path, content=content, headers=raw)
        assert_error(answer, "unsupported_media_type")
    assert await stored(shared) == before


async def test_no_media_type_and_two(shared: World) -> None:
    token = (await access(shared, shared.admin))["Authorization"].encode()
    for types in ([], [b"application/json", b"application/json"], [b"application/json", b"text/plain"]):
        raw = [(b"authorization", token), *((b"content-type", one) for one in types)]
        answer = await shared.http.post(f"{shared.base}/datasets/", content=b'{"name":"x"}', headers=raw)
        assert_error(answer, "unsupported_media_type")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; v=1",
    ],
)
async def test_our_media_type_however_it_is_written(shared: World, media_type: str) -> None:
    who = await access(shared, shared.admin)
    headers = {"Content-Type": media_type}
    answer = await shared.request("POST", f"{shared.base}/datasets/", who, content=b'{"name":"x"}', headers=headers)
    assert answer.status_code == 201


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_content_encoding(shared: World, encoding: str) -> None:
    who = await access(shared, shared.admin)
    content = gzip.compress(b'{"name":"x"}') if "gzip" in encoding.lower() else b'{"name":"x"}'
    raw = [(b"authorization", who["Authorization"].encode()), (b"content-type", b"application/json")]
    for values in ([encoding], ["identity", encoding]):
        encodings = [(b"content-encoding", value.encode()) for value in values]
        answer = await shared.http.post(f"{shared.base}/datasets/", content=content, headers=[*raw, *encodings])
        assert_error(answer, "unsupported_media_type")
    headers = {**JSON, "Content-Encoding": "identity"}
    answer = await shared.request("POST", f"{shared.base}/datasets/", who, content=b'{"name":"x"}', headers=headers)
    assert answer.status_code == 201


async def test_the_size_is_counted_to_the_byte(shared: World) -> None:
    who = await access(shared, shared.admin)
    path = f"{shared.base}/datasets/"

    async def chunked(content: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]

    for size, code in ((65536, None), (65537, "request_too_large")):
        content = b'{"name":"x"' + b" " * (size - 12) + b"}"
        assert len(content) == size
        for body in (content, chunked(content)):
            answer = await shared.request("POST", path, who, content=body, headers=JSON)
            if code is None:
                assert answer.status_code == 201
            else:
                assert_error(answer, code)
    # What is declared counts before a byte of it has come, and a smaller word for it does not help.
    raw = [(b"authorization", who["Authorization"].encode()), (b"content-type", b"application/json")]
    for length, content in ((b"65537", b""), (b"9" * 30, b""), (b"1", b"x" * 70000), (b"0", b"x" * 70000)):
        answer = await shared.http.post(path, content=content, headers=[*raw, (b"content-length", length)])
        assert_error(answer, "request_too_large")


@pytest.mark.parametrize("operation", TAKING_FORMS, ids=str)
async def test_forms(shared: World, operation: Operation) -> None:
    made = await shared.new_key(scopes=["tokens:introspect"])
    who = {"Authorization": f"Bearer {made['token']}"}
    for content in (
        b"",
        b"x=y",
        b"token=",
        b"token",
        b"TOKEN=x",
        b"&&&",
        b"\0",
        b"\xff=\xff",
        b"a=" * 20_000,
        b"&a=1" * 10_000,
    ):
        answer = await shared.request("POST", operation.path, who, content=content, headers=FORM)
        assert answer.status_code == 400, content[:20]
        errors_of(answer)
    for content in (
        b"token=x",
        b"token=%00",
        b"token=%FF",
        b"token=%ED%A0%80",
        b"token=x&token=y",
        b"token=\xff",
        b"token=x&other=1",
    ):
        answer = await shared.request("POST", operation.path, who, content=content, headers=FORM)
        assert answer.status_code == 200, content
    for headers in (JSON, {"Content-Type": "multipart/form-data; boundary=b"}, {"Content-Type": "text/plain"}, {}):
        answer = await shared.request("POST", operation.path, who, content=b"token=x", headers=headers)
        assert_error(answer, "unsupported_media_type")
    answer = await shared.request("POST", operation.path, who, data={"token": "x" * 16385})
    assert_error(answer, "max_length", attr="token")


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.body is None], ids=str)
async def test_a_body_where_none_is_taken(shared: World, operation: Operation) -> None:
    """It must be JSON all the same; what it says is nobody's business."""
    path = await path_of(shared, operation)
    for content, headers, code in (
        (b"{", JSON, "parse_error"),
        (b"x", {"Content-Type": "text/plain"}, "unsupported_media_type"),
        (b" " * 65537, JSON, "request_too_large"),
    ):
        who = await access(shared, shared.admin)
        answer = await shared.request(operation.method, path, who, content=content, headers=headers)
        assert_error(answer, code)
