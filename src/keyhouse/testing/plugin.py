"""The pytest plugin, loaded by its entry point: the fixtures, and a word about a key that ends soon."""

import os
import time
from collections.abc import Iterator, Mapping

import pytest

from keyhouse.testing import expiry
from keyhouse.testing.server import KeyhouseServer, StartError, running
from keyhouse.testing.tokens import KeyhouseTokens

_KEY = "KEYHOUSE_API_KEY"


@pytest.fixture(scope="session")
def keyhouse_scopes() -> Mapping[str, str]:
    """Resource scopes of your application, each with its description, beside those of datasets: for you to override."""
    return {}


@pytest.fixture(scope="session")
def keyhouse_server(
    tmp_path_factory: pytest.TempPathFactory, keyhouse_scopes: Mapping[str, str]
) -> Iterator[KeyhouseServer]:
    """A live server with a company and an admin in it, on a free port, in a process of its own."""
    try:
        with running(tmp_path_factory.mktemp("keyhouse"), scopes=keyhouse_scopes) as server:
            yield server
    except StartError as error:
        pytest.fail(f"keyhouse_server {error}", pytrace=False)


@pytest.fixture(scope="session")
def keyhouse_tokens(keyhouse_server: KeyhouseServer) -> KeyhouseTokens:
    """Tokens of every kind for `keyhouse_server`: those that it takes, and those that it refuses."""
    return KeyhouseTokens(keyhouse_server)


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    """Says when the real key in the environment has ended, or will soon."""
    told = expiry.warning(os.environ.get(_KEY, ""), time.time())
    if told is not None:
        terminalreporter.write_sep("=", "keyhouse", yellow=True)
        terminalreporter.write_line(f"{_KEY} {told}", yellow=True)
