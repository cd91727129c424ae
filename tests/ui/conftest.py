"""A site and the people who visit it with a browser."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Browser

from support.page import Site, Visitor, running_chromium, site_of, visiting
from support.world import settings_for


@pytest.fixture(scope="session")
async def browser(anyio_backend: Any) -> AsyncIterator[Browser]:  # noqa: ARG001 - one loop for the session
    try:
        async with running_chromium() as browser:
            yield browser
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
async def site(sqlite_url: str) -> AsyncIterator[Site]:
    async with site_of(settings_for(sqlite_url)) as made:
        yield made


@pytest.fixture
async def visit(browser: Browser) -> AsyncIterator[Callable[..., Any]]:
    """Makes visitors; what their browsers complain of fails the test at its end."""
    async with AsyncExitStack() as stack:

        async def make(site: Site, **options: Any) -> Visitor:
            return await stack.enter_async_context(visiting(browser, site, **options))

        yield make


@pytest.fixture
async def visitor(visit: Callable[..., Any], site: Site) -> Visitor:
    """Nobody has signed in yet."""
    return await visit(site)
