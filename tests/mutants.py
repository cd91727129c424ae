"""Takes out each line that closes a race, one by one, in a copy of the tree, and shows the test that fails.

    python tests/mutants.py [words…]

With words, only the mutants that have one of them. Exit status 1 when a mutant survives.
"""

# ruff: noqa: T201 - a program that prints

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_TABLE = Path(__file__).with_suffix(".toml")
_COPIED = ("src", "tests", "alembic", "pyproject.toml", ".env.example")
_FAILED = re.compile(r"^(?:FAILED|ERROR) \S+?::(\S+)", re.MULTILINE)
_PATIENCE = 300


@dataclass(frozen=True, slots=True)
class Edit:
    """`was` stands once in the file, and `becomes` takes its place."""

    file: str
    was: str
    becomes: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One row of the table."""

    race: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]

    @contextmanager
    def in_place(self, tree: Path) -> Iterator[None]:
        """The tree without the lines. Raises ValueError when the table is out of date."""
        before: dict[Path, str] = {}
        try:
            for edit in self.edits:
                path = tree / edit.file
                text = path.read_text()
                before.setdefault(path, text)
                if text.count(edit.was) != 1:
                    raise ValueError(f"{edit.file} has {text.count(edit.was)} times, not once:\n{edit.was}")
                path.write_text(text.replace(edit.was, edit.becomes))
            yield
        finally:
            for path, text in before.items():
                path.write_text(text)


def read_table() -> list[Mutant]:
    rows = tomllib.loads(_TABLE.read_text())["mutant"]
    return [Mutant(row["race"], tuple(Edit(**edit) for edit in row["edits"]), tuple(row["tests"])) for row in rows]


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="keyhouse-mutants-") as folder:
        for name in _COPIED:
            source, target = _ROOT / name, Path(folder) / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        yield Path(folder)


def _run(tree: Path, tests: Sequence[str]) -> tuple[int, str]:
    """The exit status and what was printed; a test that hangs has failed."""
    running = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "--tb=short", "-p", "no:cacheprovider", *tests],
        cwd=tree,
        # Before the installed package, which is the tree that nobody may touch.
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        told, _ = running.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        running.terminate()
        told, _ = running.communicate()
        return 1, f"{told}\nFAILED tests::hangs"
    return running.returncode, told


def _check_copy(tree: Path) -> None:
    """The tests must import the copy, or nothing would be shown."""
    found = subprocess.run(
        [sys.executable, "-c", "import keyhouse; print(keyhouse.__file__)"],
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    if not found.stdout.startswith(str(tree)):
        raise RuntimeError(f"tests would import {found.stdout.strip()}")


def main(words: Sequence[str]) -> int:
    chosen = [mutant for mutant in read_table() if not words or any(word in repr(mutant) for word in words)]
    if not chosen:
        print("no such mutant")
        return 2
    with _copy() as tree:
        _check_copy(tree)
        for mutant in chosen:
            with mutant.in_place(tree):
                pass
        print(f"{len(chosen)} mutants. First their tests, on the source as it is:", flush=True)
        status, told = _run(tree, sorted({test for mutant in chosen for test in mutant.tests}))
        if status:
            print(told)
            return 1
        print(told.strip().splitlines()[-1], flush=True)
        killed = sum(_is_killed(tree, number, mutant) for number, mutant in enumerate(chosen, 1))
    print(f"\n{killed} of {len(chosen)} killed")
    return 0 if killed == len(chosen) else 1


def _is_killed(tree: Path, number: int, mutant: Mutant) -> bool:
    began = time.monotonic()
    with mutant.in_place(tree):
        status, told = _run(tree, mutant.tests)
    seconds = time.monotonic() - began
    print(f"\n{number:3}. {mutant.race}\n     {', '.join(dict.fromkeys(edit.file for edit in mutant.edits))}")
    found = _FAILED.search(told)
    if status == 1 and found:
        print(f"     killed in {seconds:.0f} s by {found[1]}", flush=True)
        return True
    print(
        f"     SURVIVED {', '.join(mutant.tests)}" if status == 0 else f"     NOT TRIED: {status}\n{told}", flush=True
    )
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
