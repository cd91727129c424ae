"""What takes a minute, on a clock that is moved by hand."""

import subprocess
import sys
from pathlib import Path

from support.projects import without_ours

PROGRAM = Path(__file__).parent / "slow_run.py"


def test_what_takes_a_minute_passes_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path), str(tmp_path / "conformance.xml")],
        cwd=tmp_path,
        env=without_ours(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert ", 0 failed, 0 skipped in " in done.stdout.splitlines()[-1]
    for title in ("A key that has expired: 401, byte for byte", "Too many log-ins are 429 throttled"):
        assert f"  pass  {title}" in done.stdout
