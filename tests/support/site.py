"""The site of `docs/`: staged with the README and with each file that a page links to, and built by Zensical."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIGURATION = "zensical.toml"
_FENCE = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
_LANGUAGES = {".py": "python", ".sh": "sh", ".toml": "toml", ".yml": "yaml", ".json": "json"}


def links(text: str) -> list[str]:
    """What a page links to, code apart."""
    return [found for found in _LINK.findall(_FENCE.sub("", text)) if "://" not in found]


def place(file: Path) -> PurePosixPath:
    """Where a file of the repository stands on the site; what is no page becomes one that shows it."""
    if file == ROOT / "README.md":
        return PurePosixPath("index.md")
    if file.is_relative_to(DOCS):
        return PurePosixPath(file.relative_to(DOCS))
    path = PurePosixPath("source", file.relative_to(ROOT))
    return path if path.suffix == ".md" else path.with_name(f"{path.name}.md")


def _shown(file: Path) -> str:
    """A page that shows a file which is none."""
    name = file.relative_to(ROOT)
    return f"# {name}\n\n````{_LANGUAGES.get(file.suffix, 'text')}\n{file.read_text()}\n````\n"


def _moved(page: Path, text: str) -> tuple[str, set[Path]]:
    """The page with its links as they are on the site, and the files that these lead to."""
    led_to = set()
    for link in set(links(text)):
        path, sharp, anchor = link.partition("#")
        if not path:
            continue
        file = (page.parent / path).resolve()
        led_to.add(file)
        target = os.path.relpath(place(file), place(page).parent)
        text = text.replace(f"]({link})", f"]({target}{sharp}{anchor})")
    return text, led_to


def stage(folder: Path) -> None:
    """Writes the site's source into a folder, with its configuration."""
    shutil.copy(DOCS / CONFIGURATION, folder / CONFIGURATION)
    pending = {ROOT / "README.md", *DOCS.rglob("*.md")}
    staged: set[Path] = set()
    while pending:
        file = pending.pop()
        staged.add(file)
        target = folder / "docs" / place(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".md":
            text, led_to = _moved(file, file.read_text())
            target.write_text(text)
            pending |= led_to - staged
        elif file.is_relative_to(DOCS):
            shutil.copy(file, target)
        else:
            target.write_text(_shown(file))


def build(folder: Path) -> str:
    """Builds what is staged into `site` beside it, and answers all that was said. Raises at the first warning."""
    program = Path(sys.executable).with_name("zensical")
    done = subprocess.run(
        [program, "build", "--clean", "--strict", "--config-file", folder / CONFIGURATION],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    said = done.stdout + done.stderr
    if done.returncode or "Warning" in said:
        raise RuntimeError(said)
    return said
