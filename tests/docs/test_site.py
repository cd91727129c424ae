"""The site of `docs/`: built without a warning, without a dead link, and with nothing from another host."""

import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from support import site
from support.fences import PAGES


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    site.stage(folder)
    site.build(folder)
    return folder / "site"


def pages_of(built: Path) -> list[Path]:
    """A page may be called `index.html`, too, and is then a folder."""
    return [path for path in built.rglob("*.html") if path.is_file()]


class Document(HTMLParser):
    """What a page of the site links to, what it loads, and where it can be linked to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in {"canonical", "next", "prev"}:
            self.loads.append(given["href"])
        elif "src" in given:
            self.loads.append(given["src"])


def test_every_link_and_anchor_leads_somewhere(built: Path) -> None:
    """Also those that Zensical does not look at: to files that are no pages."""
    pages = {file: Document(file) for file in pages_of(built) if file.name != "404.html"}
    assert len(pages) > len(PAGES)
    for file, page in pages.items():
        for link in (*page.links, *page.loads):
            if re.match(r"[a-z]+:", link):
                continue
            path, anchor = urldefrag(unquote(link))
            target = (file.parent / path).resolve() if path else file
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{file.relative_to(built)}: {link}"
            assert not anchor or anchor in pages[target].anchors, f"{file.relative_to(built)}: {link}"


def test_nothing_is_loaded_from_elsewhere(built: Path) -> None:
    for file in pages_of(built):
        loaded = Document(file).loads
        assert [one for one in loaded if "//" in one] == []
        # The theme's script would fetch what draws these from another host.
        assert not re.search(r'class="(mermaid|glightbox|arithmatex)"', file.read_text())
    for file in built.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", file.read_text()) == []


def titles(nav: object) -> set[str]:
    if isinstance(nav, str):
        return {nav}
    below = nav if isinstance(nav, list) else nav.values()  # type: ignore[attr-defined]
    return set().union(*map(titles, below))


def test_the_navigation_has_every_page() -> None:
    config = tomllib.loads((site.DOCS / site.CONFIGURATION).read_text())
    pages = {str(site.place(page)) for page in PAGES if page.parent.name != "decisions" or page.name == "README.md"}
    assert titles(config["project"]["nav"]) - {"source/CHANGELOG.md"} == pages


def test_a_warning_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# A page\n\n[nowhere](#there-is-no-such-anchor)\n")
    (tmp_path / site.CONFIGURATION).write_text('[project]\nsite_name = "x"\n')
    with pytest.raises(RuntimeError, match="anchor"):
        site.build(tmp_path)
