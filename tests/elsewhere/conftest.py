"""Deployments whose tokens are verified by other people's libraries, and these libraries."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.issuers import Issuer, issuing
from support.jwks_address import JwksAddress, opened_jwks_address
from support.snippets import Page

_NODE = Path(__file__).with_name("node")


@pytest.fixture(scope="session")
def es256(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with issuing(tmp_path_factory.mktemp("es256"), "ES256") as made:
        yield made


@pytest.fixture(scope="session")
def rs256(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with issuing(tmp_path_factory.mktemp("rs256"), "RS256") as made:
        yield made


@pytest.fixture(scope="session")
def eddsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with issuing(tmp_path_factory.mktemp("eddsa"), "EdDSA") as made:
        yield made


@pytest.fixture(scope="session", params=["es256", "rs256", "eddsa"])
def issuer(request: pytest.FixtureRequest) -> Issuer:
    """One for each algorithm that has public keys."""
    made: Issuer = request.getfixturevalue(request.param)
    return made


@pytest.fixture(scope="session")
def rotated(es256: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """Signs with a new key, and takes the tokens of the former one, that of `es256`, too."""
    folder = tmp_path_factory.mktemp("rotated")
    with issuing(folder, "ES256", KEYHOUSE_VERIFICATION_KEY_FILES=str(es256.key_file)) as made:
        yield made


@pytest.fixture
def jwks_address() -> Iterator[JwksAddress]:
    with opened_jwks_address() as made:
        yield made


@pytest.fixture(scope="session")
def page() -> Page:
    return Page("verify-elsewhere.md")


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Node finds `jose`, in the version and with the digest of our lock."""
    folder = tmp_path_factory.mktemp("node")
    for file in _NODE.iterdir():
        shutil.copy(file, folder)
    # What tests/programs.sh has fetched is taken from npm's cache.
    subprocess.run(["npm", "ci", "--silent", "--prefer-offline", "--ignore-scripts"], cwd=folder, check=True)
    return folder
