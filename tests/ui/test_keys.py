"""The list of keys: what it shows of each, its pages, and what can be done with a key."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from playwright.async_api import Route, expect

from keyhouse.directory import companies
from support.page import Site, Visitor, site_of
from support.page_states import furnish
from support.world import PASSWORD, bearer, settings_for

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]
_DAY = 86400


@pytest.fixture
async def postgresql_site(postgresql_url: str) -> AsyncIterator[Site]:
    async with site_of(settings_for(postgresql_url)) as site:
        yield site


async def test_each_key_says_how_it_stands(visitor: Visitor) -> None:
    keys = await furnish(visitor.site)
    await visitor.sign_in()

    def row(name: str) -> Any:
        return visitor.page.locator(f'tr[data-key="{keys[name]["id"]}"]')

    for name, texts in {
        "Old laptop": ("Expired", "2 days ago"),
        "Nightly export": ("Active", "by member@example.com", "7 hours ago", "datasets:write"),
        "Billing": ("Expires soon", "in 9 days", "by you"),
        "Read-only dashboard": ("Read only", "in 60 days"),
        "CI deploy": ("Rotated", "works until its successor is first used"),
        "CI deploy 2": ("Active", f"waiting for first use, to replace …{keys['CI deploy']['hint']}", "Never"),
        "Warehouse sync": ("Retiring", "stops in 59 minutes"),
        "Warehouse sync 2": ("Active", f"…{keys['Warehouse sync 2']['hint']}"),
    }.items():
        for text in texts:
            await expect(row(name)).to_contain_text(text)


async def test_a_member_sees_their_own_keys_and_no_events(visitor: Visitor) -> None:
    await furnish(visitor.site)
    await visitor.sign_in(visitor.site.world.member)
    await expect(visitor.page.get_by_role("row")).to_have_count(2)
    await expect(visitor.page.get_by_text("The keys that you created in Acme.")).to_be_visible()
    await expect(visitor.page.get_by_role("link", name="Audit events")).to_have_count(0)


async def test_two_hundred_keys_are_in_pages(visitor: Visitor) -> None:
    for number in range(200):
        await visitor.site.world.new_key(name=f"Key {number:03}")
    await visitor.sign_in()
    page = visitor.page
    for first in (1, 51, 101, 151):
        await expect(page.get_by_text(f"Keys {first}\u2013{first + 49}")).to_be_visible()
        await expect(page.get_by_role("rowheader").first).to_contain_text(f"Key {200 - first:03}")
        if first < 151:
            await page.get_by_role("button", name="Older").click()
            await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await expect(page.get_by_role("button", name="Older")).to_be_disabled()
    await page.get_by_role("button", name="Newer").click()
    await expect(page.get_by_text("Keys 101\u2013150")).to_be_visible()


async def test_a_name_is_never_markup(visitor: Visitor) -> None:
    name = "<img src=x onerror=document.title='taken'>"
    await visitor.site.world.new_key(name=name)
    await visitor.sign_in()
    await expect(visitor.page.get_by_text(name)).to_be_visible()
    await visitor.open_actions(name, "Delete")
    await expect(visitor.page.get_by_role("heading", name=f"Delete “{name}”?")).to_be_visible()
    assert await visitor.page.locator("img").count() == 0
    assert "taken" not in await visitor.page.title()


async def test_a_key_is_renamed(visitor: Visitor) -> None:
    visitor.expected.add(400)
    await visitor.site.world.new_key(name="Before")
    await visitor.sign_in()
    page = visitor.page
    await visitor.open_actions("Before", "Rename")
    name = page.get_by_label("Name", exact=True)
    await expect(name).to_have_value("Before")
    # A browser's field takes what the API does not.
    await name.fill("\u0085x\u0085y")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.locator(".error")).to_have_text("Control characters are not allowed.")
    await name.fill("After")
    await name.press("Enter")
    await expect(page.get_by_role("rowheader", name="After")).to_be_visible()
    await expect(page.get_by_role("button", name="Actions for After")).to_be_focused()


async def test_a_key_is_rotated(visitor: Visitor) -> None:
    world = visitor.site.world
    old = await world.new_key(name="CI deploy", expires_in=30 * _DAY)
    await visitor.sign_in()
    page = visitor.page
    await visitor.open_actions("CI deploy", "Rotate")
    await expect(page.get_by_role("dialog")).to_contain_text(f"…{old['hint']}")
    await page.get_by_label("Expiration").select_option("1 year")
    await page.get_by_label("The old key stops working").select_option("as soon as the new one is first used")
    await page.get_by_role("button", name="Rotate key").click()
    await expect(page.get_by_role("heading", name="The new key of “CI deploy”")).to_be_visible()
    token = await page.get_by_role("group", name="API key").inner_text()
    await page.get_by_role("button", name="Copy API key").click()
    await page.get_by_role("button", name="Done").click()
    row = page.locator(f'tr[data-key="{old["id"]}"]')
    await expect(row).to_contain_text("Rotated")
    await row.get_by_role("button").click()
    await expect(page.get_by_role("menuitem", name="Rotate")).to_be_disabled()
    await page.keyboard.press("Escape")

    datasets = f"{world.base}/datasets/"
    assert (await world.request("GET", datasets, bearer(old["token"]))).status_code == 200
    assert (await world.request("GET", datasets, bearer(token))).status_code == 200
    assert (await world.request("GET", datasets, bearer(old["token"]))).status_code == 401
    await page.reload()
    await expect(row).to_contain_text("Retired")


async def test_the_page_can_be_used_while_a_key_dies(visit: Visit, postgresql_site: Site) -> None:
    world = postgresql_site.world
    await world.new_key(name="other")
    key = await world.new_key(name="dying")
    visitor = await visit(postgresql_site)
    await visitor.sign_in()
    page = visitor.page
    release = asyncio.Event()

    async def hold(route: Route) -> None:
        await release.wait()
        await route.continue_()

    await page.route(f"**/{key['id']}/", hold)
    await visitor.open_actions("dying", "Delete")
    await page.get_by_role("button", name="Delete key").click()
    row = page.get_by_role("row", name="dying")
    await expect(row).to_contain_text("Deleting…")
    await visitor.open_actions("other", "Rename")
    await page.get_by_label("Name", exact=True).fill("renamed meanwhile")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("row", name="renamed meanwhile")).to_be_visible()
    await page.get_by_role("link", name="Audit events").click()
    await page.get_by_role("link", name="API Keys").click()
    await expect(row).to_contain_text("Deleting…")
    release.set()
    await expect(row).to_have_count(0)
    assert (await world.request("GET", f"{world.base}/datasets/", bearer(key["token"]))).status_code == 401


async def test_a_deletion_that_is_not_confirmed_can_be_repeated(visitor: Visitor) -> None:
    visitor.offline = True
    await visitor.site.world.new_key(name="doubtful")
    await visitor.sign_in()
    page = visitor.page
    await page.route("**/api-keys/*/", lambda route: route.abort())
    await visitor.open_actions("doubtful", "Delete")
    await page.get_by_role("button", name="Delete key").click()
    await expect(page.get_by_text("It is not certain whether it still works.")).to_be_visible()
    await expect(page.get_by_role("row", name="doubtful")).to_contain_text("Expires soon")
    await page.unroute("**/api-keys/*/")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("heading", name="No API keys yet")).to_be_visible()


async def test_two_tabs_agree(visitor: Visitor) -> None:
    await visitor.sign_in()
    other = await visitor.context.new_page()
    visitor.listen(other)
    await other.goto(visitor.site.url)
    await expect(other.get_by_role("heading", name="No API keys yet")).to_be_visible()
    await visitor.create_key("made in the first")
    await expect(other.get_by_role("row", name="made in the first")).to_be_visible()


async def test_a_menu_outlives_its_list_and_not_its_key(visitor: Visitor) -> None:
    """The list is shown anew when another tab changed it, amid whatever is done with the keyboard in this one."""
    world = visitor.site.world
    for name in ("goes", "stays"):
        await world.new_key(name=name)
    await visitor.sign_in()
    page = visitor.page
    other = await visitor.context.new_page()
    visitor.listen(other)
    await other.goto(visitor.site.url)

    async def delete(name: str) -> None:
        await other.get_by_role("button", name=f"Actions for {name}").click()
        await other.get_by_role("menuitem", name="Delete").click()
        await other.get_by_role("button", name="Delete key").click()

    menu = page.get_by_role("menuitem", name="Rename")
    opener = page.get_by_role("button", name="Actions for stays")
    await opener.focus()
    await page.keyboard.press("Enter")
    await expect(menu).to_be_focused()
    await delete("goes")
    await expect(page.get_by_role("row", name="goes")).to_have_count(0)
    await expect(menu).to_be_focused()
    await expect(opener).to_have_attribute("aria-expanded", "true")
    await page.keyboard.press("Escape")
    await expect(menu).to_be_hidden()
    await expect(opener).to_be_focused()

    await page.keyboard.press("Enter")
    await expect(menu).to_be_focused()
    await delete("stays")
    await expect(menu).to_be_hidden()
    await expect(page.get_by_role("heading", level=1, name="API Keys")).to_be_focused()


async def test_another_company_shows_its_own_keys(visitor: Visitor) -> None:
    world = visitor.site.world
    other = await world.new_company("Initech")
    person = await world.new_person("both@example.com", other, "admin")
    await world.new_key(person, other, name="of Initech")
    third = await world.new_company("Umbrella")
    database = world.keyhouse.database
    async with database.writing() as tx:
        await companies.add_member(
            tx, company_id=third.id, user_id=person.user.id, role="member", at=await database.now(tx)
        )
    await visitor.sign_in(person, f"#/companies/{other.id}/api-keys")
    page = visitor.page
    await expect(page.get_by_text("of Initech", exact=True)).to_be_visible()
    await page.get_by_label("Company", exact=True).select_option("Umbrella")
    await expect(page.get_by_role("heading", name="No API keys yet")).to_be_visible()
    await expect(page.get_by_text(third.id)).to_be_visible()
    await page.go_back()
    await expect(page.get_by_text("of Initech", exact=True)).to_be_visible()


async def test_what_is_unavailable_comes_by_itself(visitor: Visitor) -> None:
    visitor.expected.add(503)
    await visitor.site.world.new_key(name="patience")
    body = '{"type":"server_error","errors":[{"code":"service_unavailable","detail":"x","attr":null,"extra":null}]}'

    async def refuse(route: Route) -> None:
        await route.fulfill(status=503, headers={"Retry-After": "1"}, content_type="application/json", body=body)

    await visitor.page.route("**/api-keys/?*", refuse, times=1)
    await visitor.sign_in()
    await expect(visitor.page.get_by_role("heading", name="Temporarily unavailable")).to_be_visible()
    await expect(visitor.page.get_by_text("patience")).to_be_visible()


async def test_audit_events_name_people_and_keys(visitor: Visitor) -> None:
    key = await visitor.site.world.new_key(name="Watched")
    await visitor.sign_in()
    await visitor.open_actions("Watched", "Delete")
    await visitor.page.get_by_role("button", name="Delete key").click()
    await expect(visitor.page.get_by_role("heading", name="No API keys yet")).to_be_visible()
    await visitor.page.get_by_role("link", name="Audit events").click()
    row = visitor.page.get_by_role("row").filter(has_text="API key deleted")
    await expect(row).to_contain_text(f"“Watched” …{key['hint']}")
    await expect(row).to_contain_text("You")
    await expect(row).to_contain_text("127.0.0.1")
    assert PASSWORD not in await visitor.page.content()
