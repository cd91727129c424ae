"""`/docs` and `/openapi.json`: from our own files alone, under a policy that lets nothing else in."""

import hashlib
import json
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import ConsoleMessage, Page, Request

from keyhouse import Settings, create_app
from keyhouse.http import routers
from support.browser import running_browser
from support.postgres import free_port
from support.world import settings_for, world_of

ASSETS = Path(routers.__file__).parent.parent / "docs_assets"
FILES = ("start.js", "swagger-ui-bundle.js", "swagger-ui.css")


@pytest.fixture
def settings(sqlite_url: str) -> Settings:
    return settings_for(sqlite_url)


async def test_without_docs_there_is_neither_page_nor_document(sqlite_url: str) -> None:
    async with world_of(settings_for(sqlite_url, docs=False)) as world:
        for path in ("/docs", "/openapi.json", *(f"/docs/{name}" for name in FILES)):
            assert (await world.request("GET", path)).status_code == 404


async def test_the_page_and_its_files_are_served_strictly(settings: Settings) -> None:
    async with world_of(settings) as world:
        for path in ("/docs", *(f"/docs/{name}" for name in FILES)):
            answer = await world.request("GET", path)
            assert answer.status_code == 200
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'self';")
            assert "unsafe" not in policy
            assert "http" not in policy
        assert (await world.request("GET", "/docs/nothing.js")).status_code == 404
        assert (await world.request("GET", "/docs/..%2findex.html")).status_code == 404
        document = (await world.request("GET", "/openapi.json")).json()
        assert document["openapi"].startswith("3.")


class _Inline(HTMLParser):
    """What a strict policy would refuse, and what leads away."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag in {"script", "style"}
        self.found += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        self.found += [value for name, value in attrs if name in {"src", "href"} and value and "//" in value]

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.found.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag not in {"script", "style"}


def test_nothing_on_the_page_is_inline_or_elsewhere() -> None:
    parser = _Inline()
    parser.feed((ASSETS / "index.html").read_text())
    assert parser.found == []


def test_swagger_ui_is_what_was_taken_over() -> None:
    folder = ASSETS / "swagger-ui"
    sums = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert {"LICENSE", "NOTICE", "swagger-ui-bundle.js", "swagger-ui.css"} <= sums.keys()
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


@pytest.fixture
def base_url(settings: Settings) -> Iterator[str]:
    """A server on loopback."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


class Watched:
    """A page, with all that it asked for and all that it complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._note_request)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', event => console.error('policy', event.violatedDirective))"
        )

    def _note_request(self, request: Request) -> None:
        self.asked.append(request.url)

    def _note_console(self, message: ConsoleMessage) -> None:
        # Chromium tells of every answer that is an error.
        if message.type == "error" and "401 (Unauthorized)" not in message.text:
            self.complaints.append(message.text)


@pytest.mark.browser
def test_the_page_works_in_a_browser(base_url: str) -> None:
    with running_browser() as browser:
        watched = Watched(browser.new_page())
        page = watched.page
        page.goto(f"{base_url}/docs")
        document: dict[str, Any] = httpx.get(f"{base_url}/openapi.json").json()
        page.wait_for_selector(".opblock")
        operations = sum(len(item) for item in document["paths"].values())
        assert page.locator(".opblock").count() == operations

        page.click(".btn.authorize")
        page.fill(".auth-container input", "no.live.token")
        page.click(".auth-btn-wrapper .authorize")
        page.click(".btn-done")
        page.click("#operations-auth-me")
        page.click("text=Try it out")
        page.click(".execute")
        answered = page.locator(".live-responses-table .response-col_description code").first.inner_text()
        assert json.loads(answered)["errors"][0]["code"] == "invalid_token"

        assert all(url.startswith((base_url, "data:")) for url in watched.asked)
        assert watched.complaints == []
