"""Server processes for the histories."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.servers import Servers, running_servers


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with running_servers(tmp_path) as started:
        yield started
