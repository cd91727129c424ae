"""Runs the checks: pytest with this suite's own configuration, whatever project it is started in."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from keyhouse.conformance import fixtures
from keyhouse.conformance.answer import Answer, Mismatch, NoAnswerError
from keyhouse.conformance.api import AUTH, Api
from keyhouse.conformance.redaction import Redaction
from keyhouse.conformance.report import Report
from keyhouse.conformance.target import Target, UnusableError

_HERE = Path(__file__).resolve().parent
# In the order of the contract. What ends in a throttled address comes last.
_CHECKS = (
    "conventions",
    "bodies",
    "json_bodies",
    "texts",
    "lists",
    "guard",
    "guard_order",
    "expiry",
    "log_in",
    "refresh",
    "session_ends",
    "me",
    "handed_in",
    "forward_auth",
    "companies",
    "creation",
    "keys",
    "rotation",
    "datasets",
    "tokens",
    "revocation",
    "throttling",
)


def run(
    target: Target,
    *,
    slow: bool = False,
    junit_xml: Path | None = None,
    say: Callable[[str], None] = print,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """0 if all that was checked is as the contract has it, else 1, also when nothing was checked at all.

    `slow` checks what takes a minute, too; `junit_xml` is the file for a second report; `say` prints a line; `pause`
    waits for some seconds. Raises `UnusableError` when there is nothing to check.
    """
    redaction = Redaction()
    report = Report(redaction, say)
    api = Api(_usable(target), redaction, pause, lambda why: say(f"  …     {redaction(why)}"))
    try:
        say(f"Checking {target.url}, company {target.company_id}, as {target.email}")
        _look(api)
        try:
            outcome = pytest.main(_arguments(junit_xml), [_Suite(api, slow=slow), fixtures, report])
        finally:
            for problem in api.clear_away():
                say(f"Could not be cleared away: {redaction(problem)}")
    finally:
        api.close()
    report.close()
    if outcome == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if report.count("passed") + report.count("failed") == 0:
        say("Nothing was checked.")
        return 1
    return int(outcome != pytest.ExitCode.OK)


class _Suite:
    """Hands the server to the fixtures, and leaves out what takes too long."""

    def __init__(self, api: Api, *, slow: bool) -> None:
        self._api = api
        self._slow = slow

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[fixtures.API] = self._api

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            # The report says so: they wait a minute, or nobody of this address may log in for one after them.
            if not self._slow and item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="takes a minute: ask for it with --slow"))


def _arguments(junit_xml: Path | None) -> list[str]:
    """Nothing of the project around: no ini, no conftest, no plugin, no option of the environment."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    arguments = ["-c", str(_HERE / "pytest.ini"), "--rootdir", str(_HERE), "--noconftest", "--strict-markers"]
    arguments += ["--import-mode=importlib", "--assert=plain", "--capture=no"]
    for plugin in ("cacheprovider", "terminal", "warnings", "logging"):
        arguments += ["-p", f"no:{plugin}"]
    if junit_xml is not None:
        arguments += [f"--junit-xml={junit_xml.resolve()}", "-o", "junit_suite_name=keyhouse-conformance"]
    return [*arguments, *(str(_HERE / "checks" / f"{name}.py") for name in _CHECKS)]


def _usable(target: Target) -> Target:
    try:
        parts = urlsplit(target.url)
        good = parts.scheme in {"http", "https"} and parts.hostname and not parts.query and not parts.fragment
        _ = parts.port
    except ValueError:
        good = False
    if not good:
        raise UnusableError(f"{target.url!r} is no URL of a server: http://HOST:PORT is needed")
    return target


def _look(api: Api) -> None:
    """Whether there is a server of the contract, who may log in, and whose company it is."""
    target = api.target
    try:
        answer = api.log_in()
    except NoAnswerError as error:
        raise UnusableError(f"{target.url} can't be reached: {error.why}") from None
    except Mismatch as mismatch:
        raise UnusableError(f"{target.url} lets nobody log in: {mismatch}") from None
    if answer.status == 401:
        raise UnusableError(f"the log-in as {target.email} was refused: is the password right?")
    if not _is_log_in(answer):
        kind = answer.headers.get("Content-Type", "no body")
        raise UnusableError(
            f"{target.url} is no server of this contract: POST {AUTH}/token/ answered {answer.status} ({kind})"
        )
    seen = api.send("GET", api.api_keys, token=answer.get("access_token"))
    if seen.status in {403, 404}:
        raise UnusableError(f"{target.email} is no member of the company {target.company_id} at {target.url}")
    api.adopt(answer)


def _is_log_in(answer: Answer) -> bool:
    try:
        return answer.status == 200 and isinstance(answer.get("access_token"), str)
    except Mismatch:
        return False
