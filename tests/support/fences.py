"""The blocks of code that the pages show, each with where it stands, and a shell to run them in."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from support.commands import PROGRAM, without_settings
from support.site import DOCS, ROOT

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>\S.*?)?$\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^##+ (.+)$", re.MULTILINE)
_OF_MAKE = re.compile(r"MAKE.*|MFLAGS|ARGS|VENV|PYTHON")


@dataclass(frozen=True)
class Block:
    """One block: its page by its path in the repository, the heading above it, and what it is written in."""

    page: str
    heading: str
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}, under {self.heading!r}: {self.language}, {self.text.strip().splitlines()[0]!r}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found = []
    for match in FENCE.finditer(text):
        language, _, rest = (match["info"] or "").partition(" ")
        above = _HEADING.findall(FENCE.sub("", text[: match.start()]))
        indent = match["indent"]
        lines = [line.removeprefix(indent) for line in match["text"].splitlines(keepends=True)]
        title = re.search(r'title="(.+?)"', rest)
        found.append(
            Block(
                str(page.relative_to(ROOT)),
                above[-1] if above else "",
                language,
                title[1] if title else "",
                "".join(lines),
            )
        )
    return found


def shown(page: str, language: str = "sh", *, under: str = "") -> list[str]:
    """The blocks of a page of `docs/` in one language, all or those under one heading; what pip installs is there."""
    path = ROOT / page if page == "README.md" else DOCS / page
    found = [one for one in blocks(path) if one.language == language and under in {"", one.heading}]
    texts = [re.sub(r"^pip install .*\n", "", one.text, flags=re.MULTILINE) for one in found]
    assert found, f"{page} has no {language} under {under!r}"
    return [text for text in texts if text]


def files(page: str) -> dict[str, str]:
    """The blocks that are files, by their names."""
    return {one.title: one.text for one in blocks(DOCS / page) if one.title}


def environment(**more: str) -> dict[str, str]:
    """As a reader's: the commands of the package are there; no setting is, nor what a `make` around us was told."""
    plain = {name: value for name, value in without_settings().items() if not _OF_MAKE.fullmatch(name)}
    return {**plain, "PATH": f"{PROGRAM.parent}:{plain['PATH']}", **more}


def run(script: str, folder: Path, env: Mapping[str, str], *, status: int = 0) -> str:
    """What a script of a page prints. It ends at its first failure, says nothing on standard error, and as told."""
    done = subprocess.run(["sh", "-eu", "-c", script], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, ""), (done.stdout, done.stderr)
    return done.stdout
