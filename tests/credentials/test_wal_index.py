"""The header of SQLite's WAL-index: found with certainty, or not at all."""

import ctypes
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyhouse.credentials import wal_index

_WRITE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement).fetchall()
connection.close()
"""


def _elsewhere(path: Path, *statements: str) -> None:
    """Another process does it, each in a transaction of its own, and ends."""
    subprocess.run([sys.executable, "-c", _WRITE, path, *statements], check=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blanks and ä.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(path, isolation_level=None)
    made.execute("PRAGMA journal_mode=WAL")
    made.execute("CREATE TABLE things (number INTEGER)")
    yield made
    made.close()


@pytest.fixture
def maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is mapped where, to be rewritten."""
    copied = tmp_path / "maps"
    monkeypatch.setattr(wal_index, "_MAPS", copied)
    return copied


def _line(path: Path, address: int, inode: int | None = None) -> str:
    index = path.with_name(f"{path.name}-shm")
    number = index.stat().st_ino if inode is None else inode
    return f"{address:x}-{address + 0x8000:x} rw-s 00000000 fe:01 {number}       {index}\n"


@pytest.mark.usefixtures("connection")
def test_each_commit_of_another_process_moves_it_and_nothing_else_does(path: Path) -> None:
    header = wal_index.header(path)
    assert header is not None
    seen = [header.tobytes()]
    for number in range(5):
        _elsewhere(path, f"INSERT INTO things VALUES ({number})")
        assert header.tobytes() not in seen
        seen.append(header.tobytes())
        _elsewhere(path, "SELECT * FROM things", "PRAGMA data_version", "PRAGMA wal_checkpoint(PASSIVE)")
        assert header.tobytes() == seen[-1]
    header.release()


def test_it_is_found_by_another_name_of_the_file(
    path: Path, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite, too, puts the index beside the file that a link leads to."""
    link = path.with_name("link.db")
    link.symlink_to(path)
    monkeypatch.chdir(path.parent)
    for name in (link, Path(path.name)):
        header = wal_index.header(name)
        assert header is not None
        before = header.tobytes()
        connection.execute("INSERT INTO things VALUES (1)")
        assert header.tobytes() != before
        header.release()


@pytest.mark.usefixtures("connection")
def test_it_can_only_be_read(path: Path) -> None:
    header = wal_index.header(path)
    assert header is not None
    assert header.readonly


def test_a_file_that_nobody_has_open_has_none(path: Path, connection: sqlite3.Connection) -> None:
    connection.close()
    assert wal_index.header(path) is None
    assert wal_index.header(path.with_name("missing.db")) is None


def test_a_file_that_another_process_alone_has_open_has_none(path: Path, connection: sqlite3.Connection) -> None:
    connection.close()
    with subprocess.Popen(
        [sys.executable, "-c", f"{_WRITE.replace('connection.close()', 'input()')}", path, "SELECT * FROM things"],
        stdin=subprocess.PIPE,
    ) as other:
        index = path.with_name(f"{path.name}-shm")
        while not index.exists():
            assert other.poll() is None
        assert wal_index.header(path) is None
        other.communicate(b"\n")


@pytest.mark.usefixtures("connection")
def test_where_the_system_does_not_tell_there_is_none(path: Path, maps: Path) -> None:
    assert not maps.exists()
    assert wal_index.header(path) is None


@pytest.mark.usefixtures("connection")
def test_of_two_mappings_none_is_taken(path: Path, maps: Path) -> None:
    """It is not known which of two SQLite libraries has which, and gives back which."""
    real = Path("/proc/self/maps").read_text()
    maps.write_text(real)
    assert wal_index.header(path) is not None
    maps.write_text(real + _line(path, 0x1000))
    assert wal_index.header(path) is None


@pytest.mark.usefixtures("connection")
def test_a_layout_that_is_not_known_is_not_read(path: Path, maps: Path) -> None:
    memory = ctypes.create_string_buffer(96)
    maps.write_text(_line(path, ctypes.addressof(memory)))
    assert wal_index.header(path) is None
    memory[:4] = wal_index._VERSION
    assert wal_index.header(path) is not None


@pytest.mark.usefixtures("connection")
def test_the_index_of_a_file_that_was_here_before_is_not_taken(path: Path, maps: Path) -> None:
    memory = ctypes.create_string_buffer(wal_index._VERSION, 96)
    line = _line(path, ctypes.addressof(memory))
    for other in (
        _line(path, ctypes.addressof(memory), inode=7),
        line.replace("\n", " (deleted)\n"),
        line.replace(path.name, f"other-{path.name}"),
        line.replace("00000000", "00008000"),
        line.replace("rw-s", "rw-p"),
    ):
        assert other != line
        maps.write_text(other)
        assert wal_index.header(path) is None
