"""The page in a real browser: a site to visit, and a visitor who notices whatever is wrong with it."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect
from sqlalchemy import update

from keyhouse import Settings
from keyhouse.credentials.models import ApiKey
from support.browser import FLAGS, executable
from support.world import PASSWORD, Person, World, world_of

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_MISSING = "Chromium is missing: apt-get install chromium, or playwright install chromium"
_STATUS = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


@asynccontextmanager
async def running_chromium() -> AsyncIterator[Browser]:
    """A headless browser, gone afterwards. Raises RuntimeError, in one line, when there is none."""
    async with async_playwright() as playwright:
        path = executable(playwright)
        if path is None:
            raise RuntimeError(_MISSING)
        # Chromium has no sandbox for root.
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS, chromium_sandbox=os.geteuid() != 0)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Site:
    """A Keyhouse that browsers can reach."""

    world: World
    url: str
    server: uvicorn.Server

    async def change_key(self, key: dict[str, Any], **columns: Any) -> None:
        """Writes into the row of a key what could only come about in days."""
        async with self.world.keyhouse.database.writing() as tx:
            await tx.execute(update(ApiKey).where(ApiKey.id == key["id"]).values(**columns))

    async def now(self) -> int:
        """Seconds since 1970."""
        async with self.world.keyhouse.database.reading() as tx:
            return await self.world.keyhouse.database.now(tx)


@asynccontextmanager
async def site_of(settings: Settings, *, host: str = "127.0.0.1", **more: Any) -> AsyncIterator[Site]:
    """A world, served at a port of its own over HTTP."""
    async with world_of(settings, **{"secure_cookies": False, **more}) as world:
        # Named: without the protocol asyncio would not set TCP_NODELAY.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
            listening.bind((host, 0))
            listening.listen()
            # A test that ends in the middle of an answer does not wait for it.
            config = uvicorn.Config(world.app, lifespan="off", log_config=None, ws="none", timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve([listening]))
            try:
                yield Site(world, f"http://{host}:{listening.getsockname()[1]}/", server)
            finally:
                server.should_exit = True
                await serving


@dataclass
class Visitor:
    """Somebody with a browser of their own. `expected` are the statuses that the page is to be answered with and the
    browser complains of; any other complaint of it, and any violation of the policy, is found by `complaints`.
    """

    site: Site
    context: BrowserContext
    page: Page
    expected: set[int] = field(default_factory=set)
    offline: bool = False
    heard: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.heard.append(f"uncaught: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.heard.append(message.text)

    def complaints(self) -> list[str]:
        """What the browser complained of, less what was to be expected."""
        return [text for text in self.heard if not self._is_expected(text)]

    def _is_expected(self, text: str) -> bool:
        found = _STATUS.match(text)
        if found is None:
            return self.offline and text.startswith("Failed to load resource: net::ERR_")
        return int(found[1]) in self.expected

    async def go(self, fragment: str = "") -> None:
        await self.page.goto(self.site.url + fragment)

    async def sign_in(self, person: Person | None = None, fragment: str = "") -> None:
        """Goes to the page and signs in, as the admin unless somebody else is named."""
        await self.go(fragment)
        await self.fill_in((person or self.site.world.admin).user.email)
        await self.page.get_by_role("heading", level=1).filter(has_not_text="Sign in").wait_for()

    async def fill_in(self, email: str, password: str = PASSWORD) -> None:
        await self.page.get_by_label("E-mail").fill(email)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()

    async def open_actions(self, name: str, action: str | None = None) -> None:
        """Opens the menu of the key of that name, and chooses from it."""
        await self.page.get_by_role("button", name=f"Actions for {name}", exact=True).click()
        if action is not None:
            await self.page.get_by_role("menuitem", name=action).click()

    async def create_key(self, name: str) -> str:
        """Creates a key by mouse, closes its dialog, and answers the key."""
        await self.page.get_by_role("button", name="Create new API key").click()
        await self.page.get_by_label("Name", exact=True).fill(name)
        await self.page.get_by_role("button", name="Create API key").click()
        token = await self.page.get_by_role("group", name="API key").inner_text()
        await self.page.get_by_role("button", name="Copy API key").click()
        # Until then it counts as not copied, and closing would be asked about.
        await expect(self.page.get_by_role("button", name="Copied")).to_be_visible()
        await self.page.get_by_role("button", name="Done").click()
        await expect(self.page.get_by_role("group", name="API key")).to_have_count(0)
        return token

    async def knows(self, text: str) -> list[str]:
        """Where a script of the page could find a text: in the document, a field, a store, an address, a cookie."""
        return list(await self.page.evaluate(_LOOK, text))

    async def violations(self) -> str:
        """What axe-core finds wrong with the page as it is; nothing if nothing."""
        results = await Axe().run(self.page)
        return "" if results.violations_count == 0 else str(results.generate_report())

    async def overflow(self) -> list[str]:
        """Elements that stick out of the window or are cut off sideways, unless they are made to scroll or hidden."""
        return list(await self.page.evaluate(_OVERFLOW))


_LOOK = """text => {
  const places = {
    document: document.documentElement.outerHTML,
    fields: [...document.querySelectorAll("input, textarea, select")].map((field) => field.value).join(" "),
    templates: [...document.querySelectorAll("template")].map((template) => template.innerHTML).join(" "),
    localStorage: JSON.stringify({...localStorage}), sessionStorage: JSON.stringify({...sessionStorage}),
    address: location.href, history: JSON.stringify(history.state), title: document.title, name: window.name,
    cookie: document.cookie, requests: performance.getEntries().map((entry) => entry.name).join(" "),
    selection: String(getSelection()),
  };
  return Object.keys(places).filter((place) => places[place].includes(text));
}"""

_OVERFLOW = """() => {
  const hidden = (element) => {
    const style = getComputedStyle(element);
    return style.clipPath !== "none" || style.visibility === "hidden" || !element.checkVisibility();
  };
  const scrolls = (element) => {
    for (let at = element; at; at = at.parentElement) {
      if (["auto", "scroll"].includes(getComputedStyle(at).overflowX) && at.scrollWidth > at.clientWidth) return true;
    }
    return false;
  };
  const within = (element) => element.closest(".hidden, .skip, .elided, [hidden], thead, svg, .company label");
  const found = [];
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push(`the page is ${wide} wide`);
  for (const element of document.body.querySelectorAll("*")) {
    if (hidden(element) || within(element) || scrolls(element)) continue;
    const box = element.getBoundingClientRect();
    if (box.width === 0) continue;
    const name = `${element.localName}.${element.className} ${element.textContent.trim().slice(0, 40)}`;
    if (box.left < -0.5 || box.right > innerWidth + 0.5) found.push(`outside: ${name}`);
    const cut = element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== "visible";
    if (cut && getComputedStyle(element).textOverflow !== "ellipsis") found.push(`cut off: ${name}`);
  }
  return found;
}"""


@asynccontextmanager
async def visiting(browser: Browser, site: Site, **options: Any) -> AsyncIterator[Visitor]:
    """A browser of its own for the site; fails at the end when it heard a complaint that was not expected."""
    options = {"viewport": DESKTOP, "reduced_motion": "reduce", "locale": "en-GB", "timezone_id": "UTC", **options}
    context = await browser.new_context(**options)
    context.set_default_timeout(20_000)
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor = Visitor(site, context, await context.new_page())
    visitor.listen(visitor.page)
    try:
        yield visitor
    finally:
        await context.close()
    assert visitor.complaints() == []
