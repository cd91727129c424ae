"""Every state of the page: for assistive technology, on a phone, in the dark, without a complaint of the browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import expect

from support.page import DESKTOP, PHONE, SCHEMES, Site
from support.page_states import STATES

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("state", STATES)
async def test_a_state_is_for_everybody(visit: Callable[..., Any], site: Site, state: str) -> None:
    visitor = await visit(site, viewport=PHONE)
    await STATES[state](visitor)
    for viewport, scheme in zip((PHONE, DESKTOP), SCHEMES, strict=True):
        await visitor.page.set_viewport_size(viewport)
        await visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert await visitor.overflow() == []
        assert await visitor.violations() == ""


async def test_no_time_is_too_long_for_a_phone(visit: Callable[..., Any], site: Site) -> None:
    soon = await site.now() + 50
    await site.change_key(await site.world.new_key(), expires_at=soon, created_at=soon)
    visitor = await visit(site, viewport=PHONE)
    await visitor.sign_in()
    await expect(visitor.page.get_by_text("in less than a minute").nth(1)).to_be_visible()
    assert await visitor.overflow() == []
