"""The project of somebody else, for the tests of the plugin."""

from pathlib import Path

import pytest

from support.projects import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)
