"""Every state of the page that a person can see, each as a function that brings a visitor there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from playwright.async_api import Page, Route, expect

from keyhouse.directory import companies
from support.page import Site, Visitor
from support.world import PASSWORD, bearer

State = Callable[[Visitor], Awaitable[None]]
_DAY = 86400
_ENVELOPE = (
    '{{"type":"{kind}","errors":[{{"code":"{code}","detail":"{detail}","attr":null,"extra":null}}]}}'  # as on the wire
)
_HOSTILE = "<img src=x onerror=alert(1)>"


async def furnish(site: Site) -> dict[str, dict[str, Any]]:
    """Keys in every state, by name."""
    world, now = site.world, await site.now()
    keys: dict[str, dict[str, Any]] = {}

    async def key(name: str, days: int, who: Any = None, **columns: Any) -> None:
        keys[name] = await world.new_key(who, name=name, expires_in=days * _DAY, **_scopes(name))
        if columns:
            await site.change_key(keys[name], **columns)

    long_ago = now - 70 * _DAY
    await key("Old laptop", 30, created_at=long_ago, expires_at=now - 2 * _DAY, last_used_at=now - 5 * _DAY)
    await key("Nightly export", 90, world.member, created_at=now - 40 * _DAY, last_used_at=now - 7 * 3600)
    await key("Warehouse sync", 365, created_at=now - 20 * _DAY, last_used_at=now - 240)
    await key("Billing", 9, created_at=now - 81 * _DAY, last_used_at=now - 3600)
    await key("Read-only dashboard", 60, created_at=now - 3 * _DAY, last_used_at=now - 60)
    await key("CI deploy", 365, created_at=now - 300 * _DAY, last_used_at=now - 30)
    for name in ("Warehouse sync", "CI deploy"):
        path = f"{world.base}/api-keys/{keys[name]['id']}/rotate/"
        answer = await world.request("POST", path, world.admin, json={"expires_in": 90 * _DAY, "overlap": 3600})
        keys[f"{name} 2"] = answer.json()
    # One successor is in use, the other is not.
    await world.request("GET", f"{world.base}/datasets/", bearer(keys["Warehouse sync 2"]["token"]))
    return keys


def _scopes(name: str) -> dict[str, Any]:
    return {"scopes": ["datasets:read"]} if name.startswith("Read-only") else {}


async def signed_out(visitor: Visitor) -> None:
    await visitor.go()
    await expect(visitor.page.get_by_label("E-mail")).to_be_focused()


async def wrong_password(visitor: Visitor) -> None:
    visitor.expected.add(401)
    await visitor.go()
    await visitor.fill_in("admin@example.com", "not the password")
    await expect(visitor.page.get_by_role("alert")).to_have_text("E-mail or password is wrong.")


async def throttled(visitor: Visitor) -> None:
    visitor.expected.add(429)
    await _answer(visitor.page, "**/auth/token/", 429, "client_error", "throttled", {"Retry-After": "42"})
    await visitor.go()
    await visitor.fill_in("admin@example.com")
    await expect(visitor.page.get_by_role("button", name="Try again in")).to_be_visible()


async def loading(visitor: Visitor) -> None:
    await visitor.page.route("**/api-keys/?*", _never)
    await visitor.sign_in()
    await expect(visitor.page.get_by_text("Loading…")).to_be_attached()


async def empty(visitor: Visitor) -> None:
    await visitor.sign_in()
    await expect(visitor.page.get_by_role("heading", name="No API keys yet")).to_be_visible()


async def keys(visitor: Visitor) -> None:
    await furnish(visitor.site)
    await visitor.sign_in()
    await expect(visitor.page.get_by_text("Nightly export")).to_be_visible()


async def keys_of_a_member(visitor: Visitor) -> None:
    await furnish(visitor.site)
    await visitor.sign_in(visitor.site.world.member)
    await expect(visitor.page.get_by_text("Nightly export")).to_be_visible()


async def strange_names(visitor: Visitor) -> None:
    world = visitor.site.world
    for name in (_HOSTILE, "🔑" * 100, "W" * 100, "مفتاح النشر \u202e txt", "a b " * 25):
        await world.new_key(name=name)
    await visitor.sign_in()
    await expect(visitor.page.get_by_text(_HOSTILE)).to_be_visible()


async def many_keys(visitor: Visitor) -> None:
    for number in range(60):
        await visitor.site.world.new_key(name=f"Key {number + 1}")
    await visitor.sign_in()
    await visitor.page.get_by_role("button", name="Older").click()
    await expect(visitor.page.get_by_text("51\u201360")).to_be_visible()


async def user_menu(visitor: Visitor) -> None:
    await empty(visitor)
    await visitor.page.get_by_role("button", name="admin@example.com").click()
    await expect(visitor.page.get_by_role("menu")).to_be_visible()


async def key_menu(visitor: Visitor) -> None:
    await keys(visitor)
    await visitor.open_actions("Old laptop")
    await expect(visitor.page.get_by_role("menu")).to_be_visible()


async def several_companies(visitor: Visitor) -> None:
    world = visitor.site.world
    other = await world.new_company("A company with a rather long name, and its subsidiaries")
    person = await world.new_person("of.several.companies@example.com", other, "admin")
    third = await world.new_company("Initech")
    await _join(visitor.site, third.id, person.user.id)
    await visitor.sign_in(person)
    await expect(visitor.page.get_by_label("Company", exact=True)).to_be_visible()


async def no_company(visitor: Visitor) -> None:
    person = await visitor.site.world.new_person("nobody@example.com")
    await visitor.go()
    await visitor.fill_in(person.user.email)
    await expect(visitor.page.get_by_role("heading", name="You are in no company yet")).to_be_visible()


async def creating(visitor: Visitor) -> None:
    await empty(visitor)
    await visitor.page.get_by_role("button", name="Create new API key").click()
    await visitor.page.get_by_label("Name", exact=True).fill("CI deploy")


async def creating_wrongly(visitor: Visitor) -> None:
    await empty(visitor)
    await visitor.page.get_by_role("button", name="Create new API key").click()
    await visitor.page.get_by_label("Expiration").select_option("On a date…")
    await visitor.page.get_by_label("Date of expiry").fill("2020-01-01")
    await visitor.page.get_by_role("button", name="Create API key").click()
    await expect(visitor.page.get_by_text("Give the key a name.")).to_be_visible()


async def revealed(visitor: Visitor) -> None:
    await creating(visitor)
    await visitor.page.get_by_role("button", name="Create API key").click()
    await expect(visitor.page.get_by_role("button", name="Copy API key")).to_be_focused()


async def closing_unsaved(visitor: Visitor) -> None:
    await revealed(visitor)
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.page.get_by_role("alertdialog")).to_be_visible()


async def renaming(visitor: Visitor) -> None:
    await keys(visitor)
    await visitor.open_actions("Billing", "Rename")


async def rotating(visitor: Visitor) -> None:
    await keys(visitor)
    await visitor.open_actions("Billing", "Rotate")


async def asked_to_delete(visitor: Visitor) -> None:
    await keys(visitor)
    await visitor.open_actions("Read-only dashboard", "Delete")


async def deleting(visitor: Visitor) -> None:
    await keys(visitor)
    await visitor.page.route("**/api-keys/*/", _never)
    await visitor.open_actions("Read-only dashboard", "Delete")
    await visitor.page.get_by_role("button", name="Delete key").click()
    await expect(visitor.page.get_by_text("Deleting…")).to_be_visible()


async def not_deleted(visitor: Visitor) -> None:
    visitor.expected.add(503)
    await keys(visitor)
    await _answer(visitor.page, "**/api-keys/*/", 503, "server_error", "service_unavailable", {"Retry-After": "1"})
    await visitor.open_actions("Read-only dashboard", "Delete")
    await visitor.page.get_by_role("button", name="Delete key").click()
    await expect(visitor.page.get_by_text("could not be deleted")).to_be_visible()


async def audit_events(visitor: Visitor) -> None:
    await furnish(visitor.site)
    await visitor.sign_in()
    await visitor.page.get_by_role("link", name="Audit events").click()
    await expect(visitor.page.get_by_role("cell", name="API key rotated").first).to_be_visible()


async def forbidden(visitor: Visitor) -> None:
    visitor.expected.add(403)
    company = visitor.site.world.company.id
    await visitor.sign_in(visitor.site.world.member, f"#/companies/{company}/audit-events")
    await expect(visitor.page.get_by_role("heading", name="You may not see this")).to_be_visible()


async def unavailable(visitor: Visitor) -> None:
    visitor.expected.add(503)
    await _answer(visitor.page, "**/api-keys/?*", 503, "server_error", "service_unavailable", {"Retry-After": "60"})
    await visitor.sign_in()
    await expect(visitor.page.get_by_role("heading", name="Temporarily unavailable")).to_be_visible()


async def broken(visitor: Visitor) -> None:
    visitor.expected.add(502)
    await visitor.page.route(
        "**/api-keys/?*", lambda route: route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>")
    )
    await visitor.sign_in()
    await expect(visitor.page.get_by_text("Something went wrong on the server")).to_be_visible()


async def network_lost(visitor: Visitor) -> None:
    visitor.offline = True
    await keys(visitor)
    await visitor.context.set_offline(True)
    await expect(visitor.page.get_by_text("What you see may be out of date.")).to_be_visible()


async def session_ended(visitor: Visitor) -> None:
    visitor.expected.add(401)
    await keys(visitor)
    await end_sessions(visitor.site)
    await visitor.open_actions("Billing", "Rename")
    await visitor.page.get_by_label("Name", exact=True).fill("Invoices")
    await visitor.page.get_by_role("button", name="Rename").click()
    await expect(visitor.page.get_by_role("heading", name="Your session has ended")).to_be_visible()


STATES: Mapping[str, State] = {
    state.__name__: state
    for state in (
        signed_out, wrong_password, throttled, loading, empty, keys, keys_of_a_member, strange_names, many_keys,
        user_menu, key_menu, several_companies, no_company, creating, creating_wrongly, revealed, closing_unsaved,
        renaming, rotating, asked_to_delete, deleting, not_deleted, audit_events, forbidden, unavailable, broken,
        network_lost, session_ended,
    )
}  # fmt: skip


async def end_sessions(site: Site) -> None:
    """Ends every session of the admin, as a change of the password elsewhere does."""
    world = site.world
    await world.log_in(world.admin)
    body = {"current_password": PASSWORD, "new_password": PASSWORD}
    answer = await world.request("POST", "/api/v1/auth/password/", world.admin, json=body)
    assert answer.status_code == 204, answer.text


async def _join(site: Site, company_id: str, user_id: str) -> None:
    database = site.world.keyhouse.database
    async with database.writing() as tx:
        await companies.add_member(tx, company_id=company_id, user_id=user_id, role="member", at=await database.now(tx))


async def _never(route: Route) -> None:
    """An answer that does not come while anybody looks."""
    await asyncio.sleep(3600)
    await route.abort()


async def _answer(page: Page, url: str, status: int, kind: str, code: str, headers: dict[str, str]) -> None:
    body = _ENVELOPE.format(kind=kind, code=code, detail="In the words of the API.")
    await page.route(
        url, lambda route: route.fulfill(status=status, content_type="application/json", headers=headers, body=body)
    )
