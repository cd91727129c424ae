"""How the page and its files are served."""

import re
from pathlib import Path

import pytest

import keyhouse.ui
from support.world import World

_STATIC = Path(keyhouse.ui.__file__).parent / "static"
_FIRST_LOAD = 60 * 1024
_LONGEST = 300


async def files_of(world: World) -> list[str]:
    page = await world.http.get("/")
    return sorted(set(re.findall(r'(?:href|src)="(ui/[^"]+)"', page.text)))


async def test_the_page_and_every_file_are_strict(world: World) -> None:
    for path in ("", *await files_of(world)):
        answer = await world.http.get(f"/{path}")
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; ")
        for part in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "object-src 'none'"):
            assert part in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"


async def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    markup = (_STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", markup) == []
    for file in _STATIC.iterdir():
        found = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", file.read_text())
        assert [address for address in found if "www.w3.org" not in address] == [], file.name


async def test_the_first_load_is_small_and_one_round(world: World) -> None:
    page = await world.http.get("/", headers={"Accept-Encoding": "gzip"})
    named = await files_of(world)
    sizes = [int(page.headers["content-length"])]
    for path in named:
        answer = await world.http.get(f"/{path}", headers={"Accept-Encoding": "gzip"})
        assert path.endswith(".svg") or answer.headers["content-encoding"] == "gzip"
        sizes.append(int(answer.headers["content-length"]))
    assert sum(sizes) < _FIRST_LOAD
    # Whatever a module imports is named by the page already, so nothing waits for a module to be read.
    names = {path.rpartition("/")[2] for path in named}
    assert {file.name for file in _STATIC.iterdir() if file.suffix != ".html"} == names
    for name in names:
        imported = re.findall(r'from "\./([^"]+)"', (_STATIC / name).read_text())
        assert set(imported) <= names
        assert not re.search(r"@import|\burl\(['\"]|\bimport\(", (_STATIC / name).read_text())


async def test_a_browser_keeps_the_files_for_good_and_asks_again_for_the_page(world: World) -> None:
    page = await world.http.get("/")
    assert page.headers["cache-control"] == "no-cache"
    again = await world.http.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == page.headers["content-security-policy"]
    path = next(path for path in await files_of(world) if path.endswith("app.js"))
    file = await world.http.get(f"/{path}")
    assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert file.headers["content-type"] == "text/javascript; charset=utf-8"
    other = await world.http.get("/ui/another-release/app.js")
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize(
    ("offer", "compressed"),
    [
        ("gzip", True), ("br, gzip;q=0.5", True), ("GZIP", True), ("", False), ("br", False), ("gzip;q=0", False),
        ("gzip;q=0.0", False), ("identity", False), ("x-gzip-not", False),
    ],
)  # fmt: skip
async def test_it_is_compressed_for_those_who_take_it(world: World, offer: str, *, compressed: bool) -> None:
    answer = await world.http.get("/", headers={"Accept-Encoding": offer})
    assert ("content-encoding" in answer.headers) is compressed
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.text.startswith("<!doctype html>")


async def test_head_is_answered_and_anything_else_is_not(world: World) -> None:
    head = await world.http.head("/")
    assert (head.status_code, head.content) == (200, b"")
    assert (await world.http.post("/")).status_code == 405
    for name in ("nothing.js", "index.html", "..%2Fpage.py"):
        assert (await world.http.get(f"/ui/x/{name}")).status_code == 404


async def test_no_module_is_long() -> None:
    for file in _STATIC.iterdir():
        assert len(file.read_text().splitlines()) < _LONGEST, file.name
