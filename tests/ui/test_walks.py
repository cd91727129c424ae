"""The walks of the documentation, click by click."""

import asyncio
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import expect

from support.page import PHONE, Site, Visitor
from support.world import PASSWORD

pytestmark = pytest.mark.browser


async def test_a_key_is_created_used_and_deleted_by_mouse(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go()
    await visitor.fill_in("admin@example.com")

    await page.get_by_role("button", name="admin@example.com").hover()
    await page.get_by_role("menuitem", name="API Keys").click()
    await expect(page.get_by_role("heading", level=1, name="API Keys")).to_be_visible()

    await page.get_by_role("button", name="Create new API key").click()
    await page.get_by_label("Name", exact=True).fill("CI deploy")
    await page.get_by_label("Expiration").select_option("90 days")
    await page.get_by_role("button", name="Create API key").click()

    await page.get_by_role("button", name="Copy API key").click()
    key = await page.evaluate("navigator.clipboard.readText()")
    await page.get_by_role("button", name="Copy Company ID").click()
    company = await page.evaluate("navigator.clipboard.readText()")
    assert company == visitor.site.world.company.id
    await page.get_by_role("button", name="Copy curl command").click()
    command = await page.evaluate("navigator.clipboard.readText()")
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)

    datasets = f"{visitor.site.url}api/v1/companies/{company}/datasets/"
    headers = {"Authorization": f"Bearer {key}"}
    assert (await visitor.context.request.get(datasets, headers=headers)).status == 200
    assert command == f'curl -H "Authorization: Bearer {key}" {datasets}'

    await page.get_by_role("button", name="Actions for CI deploy").click()
    await page.get_by_role("menuitem", name="Delete").click()
    asked = page.get_by_role("alertdialog")
    await expect(asked).to_contain_text("Delete “CI deploy”?")
    await asked.get_by_role("button", name="Delete key").click()
    await expect(page.get_by_role("status").filter(has_text="was deleted")).to_be_visible()
    await expect(page.get_by_role("heading", name="No API keys yet")).to_be_visible()
    assert (await visitor.context.request.get(datasets, headers=headers)).status == 401

    await page.get_by_role("button", name="admin@example.com").hover()
    await page.get_by_role("menuitem", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_the_curl_command_works_as_it_is_pasted(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.sign_in()
    await page.get_by_role("button", name="Create new API key").click()
    await page.get_by_label("Name", exact=True).fill("pasted")
    await page.get_by_role("button", name="Create API key").click()
    await page.get_by_role("button", name="Copy curl command").click()
    command = await page.evaluate("navigator.clipboard.readText()")
    pasted = await asyncio.create_subprocess_shell(f"{command} --silent --max-time 10", stdout=subprocess.PIPE)
    answer, _ = await pasted.communicate()
    assert answer == b'{"results":[],"next_cursor":null}'


async def test_the_same_by_keyboard_alone(visitor: Visitor) -> None:  # noqa: PLR0915 - one walk
    page = visitor.page
    press, write = page.keyboard.press, page.keyboard.type

    async def tab_to(name: str) -> None:
        for _ in range(30):
            if await page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.innerText") == name:
                return
            await press("Tab")
        raise AssertionError(f"no way to {name!r} with Tab")

    await visitor.go()
    await expect(page.get_by_label("E-mail")).to_be_focused()
    await write("admin@example.com")
    await press("Tab")
    await write(PASSWORD)
    await press("Enter")
    await expect(page.get_by_role("heading", level=1, name="API Keys")).to_be_visible()

    await tab_to("Create new API key")
    await press("Enter")
    await expect(page.get_by_label("Name", exact=True)).to_be_focused()
    await write("Nightly job")
    await press("Tab")
    await write("7")
    await expect(page.get_by_label("Expiration")).to_have_value("7")
    await press("Tab")
    await press("ArrowDown")
    await expect(page.get_by_role("radio", name="Read only")).to_be_checked()
    await press("Enter")
    await expect(page.get_by_role("button", name="Copy API key")).to_be_focused()
    await press("Enter")
    await expect(page.get_by_role("button", name="Copied")).to_be_focused()
    await tab_to("Done")
    await press("Enter")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("row", name="Nightly job")).to_contain_text("Read only")

    await tab_to("Actions for Nightly job")
    await press("Enter")
    await expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    await press("ArrowUp")
    await expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    await press("Escape")
    await expect(page.get_by_role("button", name="Actions for Nightly job")).to_be_focused()
    await press("Enter")
    await press("End")
    await press("Enter")
    await expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    await tab_to("Delete key")
    await press("Enter")
    await expect(page.get_by_role("heading", name="No API keys yet")).to_be_visible()

    # The user's menu opens on focus alone; the arrows lead into it.
    for _ in range(30):
        await press("Shift+Tab")
        if await page.get_by_role("menu").is_visible():
            break
    await expect(page.get_by_role("button", name="admin@example.com")).to_be_focused()
    await press("ArrowDown")
    await expect(page.get_by_role("menuitem", name="API Keys")).to_be_focused()
    await press("ArrowDown")
    await press("Enter")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.get_by_label("E-mail")).to_be_focused()


async def test_the_users_menu_stays_away_when_it_was_closed(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.sign_in()
    user = page.get_by_role("button", name="admin@example.com")
    menu = page.get_by_role("menu")
    await user.hover()
    await expect(menu).to_be_visible()
    await page.mouse.move(640, 300)
    await expect(menu).to_be_hidden()
    await user.click()
    await page.mouse.move(640, 300)
    await page.get_by_role("menuitem", name="API Keys").hover()
    await expect(menu).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(menu).to_be_hidden()


async def test_the_users_menu_opens_with_a_tap(visit: Callable[..., Any], site: Site) -> None:
    phone = await visit(site, viewport=PHONE, has_touch=True, is_mobile=True)
    await phone.sign_in()
    await phone.page.get_by_role("button", name="admin@example.com").tap()
    await phone.page.get_by_role("menuitem", name="Sign out").tap()
    await expect(phone.page.get_by_role("heading", name="Sign in")).to_be_visible()
