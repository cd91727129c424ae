"""The report: a line for each check, and for each that fails what was asked, expected and received."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from keyhouse.conformance.answer import Mismatch
from keyhouse.conformance.redaction import Redaction

SECTIONS = {
    "1": "Conventions",
    "2": "The guard",
    "3": "Routes",
    "4": "Tokens",
    "6": "Revocation",
}
_MOST_SHOWN = 600
_WORDS = {"passed": "pass", "failed": "FAIL", "skipped": "skip"}


@dataclass(frozen=True, slots=True)
class _Result:
    section: str
    title: str
    outcome: str
    lines: list[str] = field(default_factory=list)


class Report:
    """A plugin of pytest that prints instead of its terminal. `say` prints a line."""

    def __init__(self, redaction: Redaction, say: Callable[[str], None]) -> None:
        self._redaction = redaction
        self._say = say
        self._began = time.monotonic()
        self._section = ""
        self._results: dict[str, _Result] = {}

    def count(self, outcome: str) -> int:
        """How many checks passed, failed or were skipped."""
        return sum(result.outcome == outcome for result in self._results.values())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        result = self._result(item, call, report)
        # Once failed, it stays so, whatever comes of clearing up.
        if call.when == "setup" or report.failed or report.skipped:
            self._results[item.nodeid] = result
        if report.failed:
            report.longrepr = "\n".join([f"{result.title} (contract, section {result.section})", *result.lines])
        report.sections = []
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            lines = self._redaction(str(report.longrepr)).splitlines()
            self._results[report.nodeid] = _Result("", f"{report.nodeid} can't be read", "failed", lines)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        result = self._results[nodeid]
        if result.section != self._section:
            self._section = result.section
            self._say(f"\n{result.section}. {SECTIONS.get(result.section, '')}")
        why = f": {result.lines[0]}" if result.outcome == "skipped" else ""
        self._say(f"  {_WORDS[result.outcome]}  {result.title}{why}")

    def close(self) -> None:
        """Prints each failure in full, and the counts as the last line."""
        failed = [result for result in self._results.values() if result.outcome == "failed"]
        if failed:
            self._say("\nWhere the server differs from the contract:")
        for result in failed:
            self._say(f"\n  {result.title} (section {result.section})")
            for line in result.lines:
                self._say(f"    {line}")
        seconds = time.monotonic() - self._began
        counts = ", ".join(f"{self.count(outcome)} {outcome}" for outcome in ("passed", "failed", "skipped"))
        self._say(f"\n{counts} in {seconds:.1f} s")

    def _result(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> _Result:
        marker = item.get_closest_marker("contract")
        section = str(marker.args[0]) if marker is not None else ""
        if call.when == "setup":
            item.user_properties.append(("contract", section))
        title = _title(item)
        if report.skipped and call.excinfo is not None:
            return _Result(section, title, "skipped", [str(call.excinfo.value)])
        if report.failed and call.excinfo is not None:
            return _Result(section, title, "failed", self._lines(call.excinfo.value))
        return _Result(section, title, "passed")

    def _lines(self, error: BaseException) -> list[str]:
        if isinstance(error, Mismatch):
            told = [("asked", error.asked), ("expected", error.expected), ("received", error.received)]
        else:
            told = [("expected", "an answer that can be read"), ("received", f"{type(error).__name__}: {error}")]
        return [f"{name:<9} {self._shown(text)}" for name, text in told]

    def _shown(self, text: str) -> str:
        """In one line without a secret, cut only now, or half a secret would be shown."""
        line = " ".join(self._redaction(text).split())
        line = line if line.isprintable() else ascii(line)
        return line if len(line) <= _MOST_SHOWN else line[:_MOST_SHOWN] + "…"


def _title(item: pytest.Item) -> str:
    function: Any = getattr(item, "function", None)
    text = " ".join((getattr(function, "__doc__", None) or item.name).split()).rstrip(".")
    callspec: Any = getattr(item, "callspec", None)
    return f"{text} [{callspec.id}]" if callspec is not None else text
