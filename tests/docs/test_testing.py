"""What `docs/testing.md` shows of reports and of CI."""

import base64
import json
from datetime import UTC, datetime, timedelta
from textwrap import dedent

import yaml

from keyhouse.conformance import checks
from keyhouse.conformance.answer import Mismatch
from keyhouse.conformance.redaction import Redaction
from keyhouse.conformance.report import Report, _Result
from keyhouse.testing import expiry
from support.fences import shown
from support.site import ROOT

PAGE = "testing.md"


def test_an_expiry_is_told_as_shown() -> None:
    (line,) = shown(PAGE, "text", under="A key that ends soon")
    end = datetime(2030, 1, 15, 8, 0, tzinfo=UTC)
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(end.timestamp())}).encode()).decode().rstrip("=")
    told = expiry.warning(f"e30.{claims}.c2ln", (end - timedelta(days=3, hours=1)).timestamp())
    assert line.strip() == f"KEYHOUSE_API_KEY {told}"


def test_a_failure_is_told_as_shown() -> None:
    (text,) = shown(PAGE, "text", under="Check a server")
    title, *lines = text.splitlines()
    name, section = title.removesuffix(")").split(" (section ")
    asked, expected, received = (line.split(maxsplit=1)[1] for line in lines)
    printed: list[str] = []
    report = Report(Redaction(), printed.append)
    failed = _Result(section, name, "failed", report._lines(Mismatch(asked, expected, received)))
    report._results["it"] = failed
    report.close()
    assert text.strip() in dedent("\n".join(line for line in printed if line.startswith(("\n  ", "    ")))).strip()
    folder = ROOT / "src" / checks.__name__.replace(".", "/")
    assert any(f'"""{name}.' in " ".join(file.read_text().split()) for file in folder.glob("*.py"))


def commands(config: object) -> list[str]:
    """What a configuration of CI runs."""
    steps = config if isinstance(config, list) else next(iter(config.values()))["script"]  # type: ignore[attr-defined]
    return [step if isinstance(step, str) else step["run"] for step in steps if isinstance(step, str) or "run" in step]


def test_ci_runs_what_there_is() -> None:
    """The commands themselves are held to what exists by the tests of `keyhouse conformance`."""
    for shown_config in shown(PAGE, "yaml"):
        ran = commands(yaml.safe_load(shown_config))
        assert [command.split()[:2] for command in ran if not command.startswith("./")] == [
            ["pip", "install"],
            ["keyhouse", "conformance"],
        ]
        # A line that was folded has to be one command.
        assert "\n" not in ran[-1].strip()
