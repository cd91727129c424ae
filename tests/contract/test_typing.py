"""Types as another project sees them: the installed package, strict, none of our own settings."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

_CASES = Path(__file__).parent.parent / "typing_tests"
_EXPECTED = re.compile(r"# type: ignore\[([a-z-]+)\]")


def _mypy(folder: Path, source: str) -> list[str]:
    """The errors in a file of some project, as `line: code`."""
    (folder / "theirs.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "theirs.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert not done.stderr, done.stderr
    assert bool(errors) == bool(done.returncode), done.stdout
    return [re.sub(r"^theirs\.py:(\d+): error: .*\[([a-z-]+)\]$", r"\1: \2", line) for line in errors]


@pytest.mark.parametrize("case", sorted(_CASES.glob("*.py")), ids=lambda case: case.stem)
def test_a_type_checker_finds_in_a_project_of_others_what_is_wrong_and_nothing_else(case: Path, tmp_path: Path) -> None:
    source = case.read_text()
    expected = [
        f"{number}: {found[1]}"
        for number, line in enumerate(source.splitlines(), 1)
        if (found := _EXPECTED.search(line))
    ]
    assert bool(expected) == (case.stem == "wrong")
    assert _mypy(tmp_path, _EXPECTED.sub("#", source)) == expected
