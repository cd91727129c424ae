"""The header of SQLite's WAL-index, read where SQLite itself has it in the memory of this process.

The index is memory that all processes share which have the database open; <https://sqlite.org/walformat.html>, section
2.1, has its layout. Who commits writes both copies of the header before COMMIT returns, so while its bytes are the same
nothing was committed. `PRAGMA data_version` compares the same bytes, after two calls of the operating system.
"""

import ctypes
import os
import re
import sys
from pathlib import Path

_MAPS = Path("/proc/self/maps")
# Addresses, permissions, offset, device, inode, path. The device is not the one of stat on every file system.
_SHARED = re.compile(rb"^([0-9a-f]+)-\S+ r..s 0+ \S+ (\d+) +(.*)$", re.MULTILINE)
# Two copies of 48 bytes. The first four are the version of the layout: SQLite opens no index of another.
_SIZE = 96
_VERSION = (3007000).to_bytes(4, sys.byteorder)


def header(database: Path) -> memoryview | None:
    """The header's bytes as they are at each moment, if a connection of this process has the database open in WAL mode.

    None when it is not found, or not with certainty. It must be released before that connection is closed: with its
    last connection SQLite gives the memory back, and who reads it then kills the process.

    The file itself is never opened: closing it would drop the locks that SQLite holds on it for this process.
    """
    try:
        path = database.resolve()
        index = path.with_name(f"{path.name}-shm")
        found = _mappings(os.fsencode(index), index.stat().st_ino)
    except OSError:
        return None
    # Two: there are two SQLite libraries in this process, and each gives back its own.
    if len(found) != 1:
        return None
    bytes_there = memoryview((ctypes.c_ubyte * _SIZE).from_address(found[0])).toreadonly()
    return bytes_there if bytes_there[:4].tobytes() == _VERSION else None


def _mappings(path: bytes, inode: int) -> list[int]:
    """Where the beginning of this file is mapped. That of a deleted one has another path."""
    found = _SHARED.findall(_MAPS.read_bytes())
    return [int(begin, 16) for begin, node, name in found if name == path and int(node) == inode]
