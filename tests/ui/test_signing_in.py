"""Signing in and out, in one tab and in several, and what is left of a session afterwards."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from support.page import Site, Visitor, site_of
from support.page_states import end_sessions
from support.waiting import until
from support.world import PASSWORD, settings_for

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]


async def expect_nothing(page: Page) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert await page.get_by_text("secret project").count() == 0


async def second_tab(visitor: Visitor) -> Page:
    page = await visitor.context.new_page()
    visitor.listen(page)
    await page.goto(visitor.site.url)
    return page


async def sign_out(page: Page) -> None:
    await page.get_by_role("button", name="admin@example.com").click()
    await page.get_by_role("menuitem", name="Sign out").click()


async def test_what_is_missing_or_wrong_is_told_at_its_field(visitor: Visitor) -> None:
    await visitor.go()
    page = visitor.page
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_label("E-mail")).to_be_focused()
    await expect(page.get_by_label("E-mail")).to_have_accessible_description("Enter your e-mail address.")
    await expect(page.get_by_label("Password")).to_have_accessible_description("Enter your password.")
    await page.get_by_label("E-mail").fill("nobody")
    await expect(page.get_by_label("E-mail")).to_have_accessible_description("Enter a valid e-mail address.")


async def test_a_wrong_password_keeps_what_was_typed(visitor: Visitor) -> None:
    visitor.expected.add(401)
    await visitor.go()
    await visitor.fill_in("admin@example.com", "wrong")
    await expect(visitor.page.get_by_role("alert")).to_have_text("E-mail or password is wrong.")
    await expect(visitor.page.get_by_label("E-mail")).to_have_value("admin@example.com")
    await expect(visitor.page.get_by_label("Password")).to_have_value("wrong")
    await visitor.page.get_by_label("Password").fill(PASSWORD)
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.get_by_role("heading", name="API Keys", exact=True)).to_be_visible()


async def test_too_many_tries_count_down(visit: Visit, sqlite_url: str) -> None:
    async with site_of(settings_for(sqlite_url, login_rate="3/minute")) as site:
        visitor = await visit(site)
        visitor.expected |= {401, 429}
        await visitor.page.clock.install()
        await visitor.go()
        # Two have logged in from this address already.
        for _ in range(2):
            async with visitor.page.expect_response("**/auth/token/"):
                await visitor.fill_in("admin@example.com", "wrong")
        waiting = visitor.page.get_by_role("button", name="Try again in")
        await expect(waiting).to_be_disabled()
        await visitor.page.clock.fast_forward(61_000)
        await expect(visitor.page.get_by_role("button", name="Sign in")).to_be_enabled()
        await expect(visitor.page.get_by_role("alert")).to_be_hidden()


async def test_a_reload_keeps_the_session_and_the_page(visitor: Visitor) -> None:
    await visitor.sign_in()
    await visitor.page.get_by_role("link", name="Audit events").click()
    for _ in range(5):
        # Each comes while the one before is asking for its session. Before that the browser may refuse a reload.
        async with visitor.page.expect_request("**/auth/token/refresh/"):
            await visitor.page.reload(wait_until="commit")
    await expect(visitor.page.get_by_role("heading", level=1, name="Audit events")).to_be_visible()
    await expect(visitor.page.get_by_role("cell", name="Signed in").first).to_be_visible()


async def test_after_signing_out_nothing_comes_back(visitor: Visitor) -> None:
    await visitor.site.world.new_key(name="secret project")
    await visitor.sign_in()
    page = visitor.page
    await expect(page.get_by_text("secret project")).to_be_visible()
    await page.get_by_role("link", name="Audit events").click()
    await sign_out(page)
    await expect_nothing(page)
    assert await visitor.context.cookies() == []
    assert await page.evaluate("({...localStorage})") == {}
    await page.go_back()
    await expect_nothing(page)
    await page.reload()
    await expect_nothing(page)


async def test_coming_back_from_another_page_shows_nothing_after_signing_out(visitor: Visitor) -> None:
    # The other page has no icon.
    visitor.expected.add(404)
    await visitor.site.world.new_key(name="secret project")
    await visitor.sign_in()
    await expect(visitor.page.get_by_text("secret project")).to_be_visible()
    other = await second_tab(visitor)
    await expect(other.get_by_text("secret project")).to_be_visible()
    await visitor.page.goto(f"{visitor.site.url}healthz")
    await sign_out(other)
    await expect_nothing(other)
    await visitor.page.go_back()
    await expect_nothing(visitor.page)


async def test_tabs_sign_out_and_in_together(visitor: Visitor) -> None:
    await visitor.site.world.new_key(name="secret project")
    await visitor.sign_in()
    other = await second_tab(visitor)
    await expect(other.get_by_text("secret project")).to_be_visible()
    await sign_out(visitor.page)
    await expect_nothing(other)
    await expect(other.get_by_role("status").first).to_have_text("You were signed out in another tab.")
    await visitor.fill_in("member@example.com")
    await expect(other.get_by_role("button", name="member@example.com")).to_be_visible()
    assert await other.get_by_text("secret project").count() == 0


async def test_many_tabs_at_once_keep_the_session(visitor: Visitor) -> None:
    await visitor.sign_in()
    tabs = await asyncio.gather(*(second_tab(visitor) for _ in range(5)))
    for tab in tabs:
        await expect(tab.get_by_role("heading", name="API Keys", exact=True)).to_be_visible()


async def test_who_signs_in_again_goes_on_where_they_were(visitor: Visitor) -> None:
    visitor.expected.add(401)
    await visitor.sign_in()
    page = visitor.page
    await page.get_by_role("button", name="Create new API key").click()
    await page.get_by_label("Name", exact=True).fill("half done")
    await end_sessions(visitor.site)
    await page.get_by_role("button", name="Create API key").click()
    again = page.get_by_role("dialog", name="Your session has ended")
    await expect(again.get_by_label("E-mail")).to_have_value("admin@example.com")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await again.get_by_label("Password").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(again.get_by_role("alert")).to_be_visible()
    await again.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    # What was sent before goes on by itself.
    await expect(page.get_by_role("heading", name="Your new API key “half done”")).to_be_visible()


async def test_who_does_not_leaves_nothing_behind(visitor: Visitor) -> None:
    visitor.expected.add(401)
    await visitor.site.world.new_key(name="secret project")
    await visitor.sign_in()
    await end_sessions(visitor.site)
    await visitor.page.get_by_role("link", name="Audit events").click()
    await visitor.page.get_by_role("button", name="Leave this page").click()
    await expect_nothing(visitor.page)
    await visitor.page.reload()
    await expect_nothing(visitor.page)
    await visitor.fill_in("admin@example.com")
    await expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Audit events")
    await end_sessions(visitor.site)
    await visitor.page.get_by_role("link", name="API Keys").click()
    await expect(visitor.page.get_by_role("heading", name="Your session has ended")).to_be_visible()


async def test_a_session_that_ended_meanwhile_is_told_at_the_next_visit(visitor: Visitor) -> None:
    visitor.expected.add(401)
    await visitor.sign_in()
    await end_sessions(visitor.site)
    await visitor.page.reload()
    await expect(visitor.page.get_by_text("Your session has ended. Sign in again.")).to_be_visible()


async def test_signing_out_that_fails_says_so(visitor: Visitor) -> None:
    visitor.offline = True
    await visitor.sign_in()
    await visitor.page.route("**/auth/logout/", lambda route: route.abort())
    await sign_out(visitor.page)
    await expect(visitor.page.get_by_role("heading", name="You are still signed in")).to_be_visible()
    await visitor.page.unroute("**/auth/logout/")
    await visitor.page.get_by_role("button", name="Try again").click()
    await expect_nothing(visitor.page)
    assert await visitor.context.cookies() == []


async def test_tokens_are_in_memory_alone(visitor: Visitor) -> None:
    tokens: list[str] = []

    async def remember(response: Any) -> None:
        if "/auth/token/" in response.url:
            tokens.append((await response.json())["access_token"])

    visitor.page.on("response", remember)
    await visitor.sign_in()
    await visitor.page.reload()
    await expect(visitor.page.get_by_role("heading", name="API Keys", exact=True)).to_be_visible()
    await until(lambda: len(tokens) == 2)
    (cookie,) = await visitor.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("keyhouse_refresh", True, "Strict")
    for secret in (*tokens, cookie["value"]):
        assert await visitor.knows(secret) == []


async def test_over_https_the_cookie_is_of_this_host_alone(visit: Visit, sqlite_template: Path, tmp_path: Path) -> None:
    """Browsers take localhost for as good as HTTPS."""
    shutil.copy(sqlite_template, tmp_path / "other.db")
    settings = settings_for(f"sqlite:///{tmp_path / 'other.db'}")
    async with site_of(settings, host="localhost", secure_cookies=True) as site:
        visitor = await visit(site)
        await visitor.sign_in()
        (cookie,) = await visitor.context.cookies()
        assert cookie["name"] == "__Host-keyhouse_refresh"
        assert (cookie["secure"], cookie["httpOnly"], cookie["path"]) == (True, True, "/")
        await visitor.page.reload()
        await expect(visitor.page.get_by_role("heading", name="API Keys", exact=True)).to_be_visible()
        await sign_out(visitor.page)
        await expect_nothing(visitor.page)
        assert await visitor.context.cookies() == []


async def test_a_page_of_another_origin_gets_no_session(visitor: Visitor, site: Site) -> None:
    """The same site to a browser, being the same host, and yet another origin: SameSite alone would let it in."""
    visitor.offline = True
    visitor.expected |= {401, 415}
    await visitor.sign_in()
    port = int(site.url.rstrip("/").rpartition(":")[2])
    async with asyncio.timeout(20):
        other = await asyncio.start_server(_blank, "127.0.0.1", 0)
        async with other:
            page = await visitor.context.new_page()
            await page.goto(f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}/")
            answer = await page.evaluate(
                """async (url) => {
                  const refused = [];
                  for (const type of ["application/json", "text/plain"]) {
                    const mode = type === "text/plain" ? "no-cors" : "cors";
                    const headers = {"Content-Type": type};
                    const body = '{"session":"cookie"}';
                    await fetch(url, {method: "POST", credentials: "include", mode, headers, body}).then(
                        (response) => refused.push(response.type), () => refused.push("refused"));
                  }
                  return refused;
                }""",
                f"http://127.0.0.1:{port}/api/v1/auth/token/refresh/",
            )
            assert answer == ["refused", "opaque"]
            await page.close()
    await visitor.page.reload()
    await expect(visitor.page.get_by_role("heading", name="API Keys", exact=True)).to_be_visible()


async def _blank(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()
