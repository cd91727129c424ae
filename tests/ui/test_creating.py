"""Creating a key: what is refused and not lost, what is shown once, and that nothing keeps it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Dialog, Route, expect

from support.page import Visitor, site_of
from support.world import settings_for

pytestmark = pytest.mark.browser


async def open_dialog(visitor: Visitor, name: str = "CI deploy") -> None:
    await visitor.sign_in()
    await visitor.page.get_by_role("button", name="Create new API key").click()
    await visitor.page.get_by_label("Name", exact=True).fill(name)


async def send(visitor: Visitor) -> None:
    await visitor.page.get_by_role("button", name="Create API key").click()


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            500,
            '{"type":"server_error","errors":[{"code":"error","detail":"A server error occurred.","attr":null}]}',
            True,
        ),
        (502, "<h1>Bad gateway</h1>", True),
        (200, "[]", True),
        (201, '{"id": 7}', False),
        (503, '{"type":"server_error","errors":[{"code":"service_unavailable","detail":"x","attr":null}]}', True),
        (409, '{"type":"client_error","errors":[{"code":"conflict","detail":"It is in the way.","attr":null}]}', False),
        (400, '{"type":"validation_error","errors":[]}', True),
    ],
)
async def test_whatever_comes_back_loses_nothing(visitor: Visitor, status: int, body: str, *, told: bool) -> None:
    visitor.expected.add(status)
    await open_dialog(visitor)
    page = visitor.page
    sent: list[str] = []

    async def answer(route: Route) -> None:
        if route.request.method != "POST":
            await route.fallback()
            return
        sent.append(route.request.headers["x-request-id"])
        await route.fulfill(status=status, content_type="application/json", body=body)

    await page.route("**/api-keys/", answer)
    await send(visitor)
    problem = page.get_by_role("alert")
    await expect(problem).to_be_visible()
    if told and status != 200:
        await expect(problem).to_contain_text(sent[0])
    await expect(page.get_by_label("Name", exact=True)).to_have_value("CI deploy")
    await page.unroute("**/api-keys/")
    await send(visitor)
    await expect(page.get_by_role("heading", name="Your new API key “CI deploy”")).to_be_visible()


async def test_a_lost_network_keeps_the_form_and_says_what_is_uncertain(visitor: Visitor) -> None:
    visitor.offline = True
    await open_dialog(visitor)
    await visitor.context.set_offline(True)
    await send(visitor)
    await expect(visitor.page.get_by_role("alert").first).to_contain_text("It may have done it all the same")
    await visitor.context.set_offline(False)
    await send(visitor)
    await expect(visitor.page.get_by_role("heading", name="Your new API key")).to_be_visible()


async def test_what_the_server_refuses_is_told_at_its_field(visit: Callable[..., Any], sqlite_url: str) -> None:
    async with site_of(settings_for(sqlite_url, api_key_max_ttl=10 * 86400)) as site:
        visitor = await visit(site)
        visitor.expected.add(400)
        await open_dialog(visitor)
        await send(visitor)
        choice = visitor.page.get_by_label("Expiration")
        await expect(choice).to_be_focused()
        await expect(visitor.page.locator(".error")).to_have_text("This server allows at most 10 days.")
        await choice.select_option("On a date…")
        await send(visitor)
        await expect(visitor.page.get_by_label("Date of expiry")).to_be_focused()
        await choice.select_option("7 days")
        await send(visitor)
        await expect(visitor.page.get_by_role("heading", name="Your new API key")).to_be_visible()


async def test_a_form_can_not_be_sent_twice(visitor: Visitor) -> None:
    await open_dialog(visitor)
    page = visitor.page
    release = asyncio.Event()
    sent = 0

    async def hold(route: Route) -> None:
        nonlocal sent
        sent += 1
        await release.wait()
        await route.continue_()

    await page.route("**/api-keys/", hold)
    await send(visitor)
    await expect(page.get_by_role("button", name="Creating…")).to_be_disabled()
    await page.get_by_label("Name", exact=True).press("Enter")
    await page.get_by_role("button", name="Creating…").click(force=True)
    # Nor can the dialog be closed: the answer has the key in it.
    for _ in range(3):
        await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Cancel").click()
    release.set()
    await expect(page.get_by_role("heading", name="Your new API key")).to_be_visible()
    assert sent == 1


async def test_a_date_and_read_only_are_what_the_key_gets(visitor: Visitor) -> None:
    await open_dialog(visitor)
    page = visitor.page
    await page.get_by_label("Expiration").select_option("On a date…")
    day = await page.get_by_label("Date of expiry").input_value()
    await page.get_by_role("radio", name="Read only").check()
    await send(visitor)
    await expect(page.get_by_role("button", name="Copy API key")).to_be_visible()
    world = visitor.site.world
    (key,) = (await world.request("GET", f"{world.base}/api-keys/", world.admin)).json()["results"]
    assert key["expires_at"] == f"{day}T23:59:59Z"
    assert key["scopes"] == ["datasets:read"]


async def test_a_name_counts_in_characters(visitor: Visitor) -> None:
    await open_dialog(visitor, "🔑" * 101)
    await send(visitor)
    name = visitor.page.get_by_label("Name", exact=True)
    await expect(visitor.page.locator(".error")).to_have_text("Too long by 1 character: at most 100.")
    await name.fill("🔑" * 100)
    await expect(visitor.page.locator(".error")).to_have_count(0)
    await send(visitor)
    await expect(visitor.page.get_by_role("heading", name="🔑" * 100)).to_be_visible()


async def test_closing_unsaved_is_asked_about(visitor: Visitor) -> None:
    await open_dialog(visitor)
    await send(visitor)
    page = visitor.page
    shown = page.get_by_role("button", name="Copy API key")
    await expect(shown).to_be_focused()
    asked = page.get_by_role("alertdialog", name="Close without copying the key?")
    for _ in range(2):
        await page.keyboard.press("Escape")
        await expect(asked).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(asked).to_be_hidden()
        await expect(shown).to_be_visible()
    await page.mouse.click(5, 5)
    await expect(shown).to_be_visible()
    await page.get_by_role("button", name="Done").click()
    await asked.get_by_role("button", name="Keep it open").click()
    await page.get_by_role("button", name="Done").click()
    await asked.get_by_role("button", name="Close").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("row", name="CI deploy")).to_be_visible()


async def test_leaving_the_page_unsaved_is_asked_about(visitor: Visitor) -> None:
    await open_dialog(visitor)
    await send(visitor)
    page = visitor.page
    await page.get_by_role("button", name="Copy Company ID").click()

    async def stay(dialog: Dialog) -> None:
        await dialog.dismiss()

    page.once("dialog", stay)
    async with page.expect_event("dialog") as asked:
        await page.evaluate("setTimeout(() => location.assign('healthz'))")
    assert (await asked.value).type == "beforeunload"
    await expect(page.get_by_role("button", name="Copy API key")).to_be_visible()


async def test_the_key_is_nowhere_once_its_dialog_is_closed(visitor: Visitor) -> None:
    await visitor.sign_in()
    token = await visitor.create_key("CI deploy")
    assert token.startswith("eyJ")
    await expect(visitor.page.get_by_role("row", name="CI deploy")).to_be_visible()
    assert await visitor.knows(token) == []
    await visitor.page.reload()
    await expect(visitor.page.get_by_role("row", name="CI deploy")).to_be_visible()
    assert await visitor.knows(token) == []


async def test_without_a_clipboard_the_key_is_selected(visit: Callable[..., Any], site: Any) -> None:
    visitor = await visit(site)
    await visitor.page.add_init_script("delete Navigator.prototype.clipboard; document.execCommand = () => false")
    await open_dialog(visitor)
    await send(visitor)
    page = visitor.page
    token = await page.get_by_role("group", name="API key").inner_text()
    await page.get_by_role("button", name="Copy API key").click()
    await expect(page.get_by_role("button", name="Press Ctrl+C")).to_be_visible()
    assert await page.evaluate("String(getSelection())") == token


async def test_a_violation_of_the_policy_would_be_noticed(visitor: Visitor) -> None:
    await visitor.go()
    await visitor.page.evaluate("document.body.append(Object.assign(document.createElement('a'), {onclick: null}))")
    assert visitor.complaints() == []
    await visitor.page.evaluate("try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>') } catch {}")
    await visitor.page.evaluate("document.body.setAttribute('style', 'color: red')")
    await asyncio.sleep(0)
    await expect(visitor.page.get_by_label("E-mail")).to_be_visible()
    assert len(visitor.complaints()) >= 1
    visitor.heard.clear()
