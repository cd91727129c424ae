"""The snippets of the documentation, taken from their pages to be run."""

import importlib.util
import re
import subprocess
from pathlib import Path
from typing import Any

from support.commands import PROGRAM
from support.projects import without_ours

_DOCS = Path(__file__).parents[2] / "docs"
_TITLED = re.compile(r'^```\w+ title="(\S+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
_SHOWN = "https://keyhouse.example"


class Page:
    """A page whose snippets have names, and speak to `https://keyhouse.example`."""

    def __init__(self, name: str) -> None:
        self.text = (_DOCS / name).read_text()
        self.snippets = dict(_TITLED.findall(self.text))

    def write(self, folder: Path, base_url: str, *, replacing: dict[str, str] | None = None) -> Path:
        """All of its snippets as files, which speak to that server; each text to be replaced must be there."""
        for title, text in self.snippets.items():
            (folder / title).write_text(text.replace(_SHOWN, base_url))
        for old, new in (replacing or {}).items():
            held = [folder / title for title in self.snippets if old in self.snippets[title]]
            assert held, f"no snippet has {old}"
            for file in held:
                file.write_text(file.read_text().replace(old, new))
        return folder


def load(file: Path) -> Any:
    """A snippet in Python as a module of its own."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*command: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A snippet as a program, in its folder; its Python is this one."""
    path = f"{PROGRAM.parent}:{without_ours()['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        env={**without_ours(), "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
