"""Takes the pictures of docs/images, light and dark: `python -m tests.screenshots [folder] [--all]`."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from playwright.async_api import Browser

from keyhouse import logs
from keyhouse.db import Database, migrations
from support.page import DESKTOP, PHONE, SCHEMES, running_chromium, site_of, visiting
from support.page_states import STATES
from support.world import settings_for

_IMAGES = Path(__file__).parent.parent / "docs" / "images"
# What the documentation shows, and the README; on a phone, the list alone.
_SHOWN = ("signed_out", "keys", "creating", "revealed", "rotating", "asked_to_delete", "audit_events")
_ON_A_PHONE = ("keys",)
_IN_THE_DARK = ("keys", "revealed")


async def take(names: list[str], folder: Path, on_a_phone: list[str], dark: list[str]) -> None:
    """Writes NAME-light.png, and NAME-dark.png for those of `dark`; `on_a_phone` also as NAME-phone-….png."""
    async with running_chromium() as browser:
        for name in names:
            await _visit(browser, folder, name, name, DESKTOP, in_the_dark=name in dark)
            if name in on_a_phone:
                await _visit(browser, folder, name, f"{name}-phone", PHONE, in_the_dark=name in dark)


async def _visit(
    browser: Browser, folder: Path, state: str, name: str, viewport: dict[str, int], *, in_the_dark: bool
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        url = f"sqlite:///{temporary}/keyhouse.db"
        database = Database(url)
        await migrations.upgrade(database)
        await database.close()
        async with site_of(settings_for(url)) as site, visiting(browser, site, viewport=viewport) as visitor:
            await STATES[state](visitor)
            for scheme in SCHEMES if in_the_dark else SCHEMES[:1]:
                await visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                await visitor.page.screenshot(path=folder / f"{name}-{scheme}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=_IMAGES)
    parser.add_argument("--all", action="store_true", help="every state, each on a phone too")
    asked = parser.parse_args()
    logs.silence()
    asked.folder.mkdir(parents=True, exist_ok=True)
    names = list(STATES) if asked.all else list(_SHOWN)
    chosen = (names, names) if asked.all else (list(_ON_A_PHONE), list(_IN_THE_DARK))
    asyncio.run(take(names, asked.folder, *chosen))


if __name__ == "__main__":
    main()
