"""A second host on this machine: a network namespace with a line to the database and another to its clients."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Neighbours are named, not asked for: who asks on a line that is cut asks again a whole second later.
_MAC = "02:00:5e:10:{line:02x}:{end:02x}"
# Benchmarking addresses (RFC 2544): nobody's network is hidden by them.
NETWORK = "198.18.77.0/29"


@dataclass(frozen=True, slots=True)
class Host:
    """`command` runs a program there. The database is reached at `database`, its servers are at `address`."""

    name: str
    database: str = "198.18.77.1"
    address: str = "198.18.77.6"

    @property
    def command(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]

    def cut(self) -> None:
        """Pulls the line to the database: packets are lost, and neither side is told."""
        _ip("link", "set", f"{self.name}l0", "down")

    def mend(self) -> None:
        _ip("link", "set", f"{self.name}l0", "up")
        _neighbour((), f"{self.name}l0", 0, 1)


def why_not() -> str | None:
    """Why there can't be one here; None when there can."""
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    if shutil.which("ip") is None:
        return "the program ip is missing"
    try:
        with _namespace("khtry"):
            return None
    except RuntimeError as error:
        return str(error)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@contextmanager
def _namespace(name: str) -> Iterator[None]:
    _ip("netns", "add", name)
    try:
        yield
    finally:
        _ip("netns", "del", name)


@contextmanager
def second_host() -> Iterator[Host]:
    """One for the time being. Names of links have at most 15 characters."""
    host = Host(f"kh{os.getpid()}")
    with _namespace(host.name):
        # A link dies with the namespace of its other end.
        for line in range(2):
            _draw(host, line)
        yield host


def _draw(host: Host, line: int) -> None:
    here, there = f"{host.name}l{line}", f"{host.name}r{line}"
    _ip(
        *("link", "add", here, "address", _MAC.format(line=line, end=0)),
        *("type", "veth", "peer", "name", there, "address", _MAC.format(line=line, end=1), "netns", host.name),
    )
    for end, (where, name) in enumerate((((), here), (("-n", host.name), there))):
        _ip(*where, "addr", "add", f"{_address(line, end)}/30", "dev", name)
        _ip(*where, "link", "set", name, "up")
        _neighbour(where, name, line, 1 - end)


def _address(line: int, end: int) -> str:
    return f"198.18.77.{4 * line + end + 1}"


def _neighbour(where: tuple[str, ...], name: str, line: int, end: int) -> None:
    mac = _MAC.format(line=line, end=end)
    _ip(*where, "neigh", "replace", _address(line, end), "lladdr", mac, "dev", name, "nud", "permanent")
