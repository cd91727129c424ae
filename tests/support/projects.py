"""Projects of other people, in which pytest runs as they run it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

_OURS = ("KEYHOUSE_", "PYTEST_", "COV_", "COVERAGE_")


@dataclass(frozen=True)
class Ran:
    """How a run of pytest ended, and all that it printed."""

    status: int
    out: str

    def closing(self) -> str:
        """What the last line counts, without the time it took."""
        return self.out.rstrip().splitlines()[-1].strip("= ").partition(" in ")[0]


class Project:
    """A folder with tests in it. What a file is named is what the project's own rules say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(dedent(text))

    def pytest_alone(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
        """With no plugin but Keyhouse's, which is quicker, and nobody else's warnings count."""
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(environment or {})}
        return self.pytest("-p", "keyhouse.testing.plugin", *arguments, environment=alone)

    def pytest(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=self.folder,
            env={**without_ours(), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout + done.stderr)


def without_ours() -> dict[str, str]:
    """The environment of this process, less what its own run of pytest put there."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
