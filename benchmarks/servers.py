"""Servers under test: started pinned to one core, watched for their CPU time and memory, stopped for certain.

The client keeps the other core. CPU time comes from the scheduler, in nanoseconds, for every thread of the process and
of its children: on a machine with neighbours the CPU time per request is steadier than the requests per second.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Address

START = 60.0  # seconds a server may take until it listens


def cores() -> tuple[int, int]:
    """The server's core and the client's; one and the same where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


AVAILABLE = cores()  # asked before anything is pinned
SERVER_CORE, CLIENT_CORE = AVAILABLE


def pin_client() -> None:
    os.sched_setaffinity(0, {CLIENT_CORE})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


@dataclass
class Server:
    name: str
    process: subprocess.Popen[bytes]
    address: Address
    log: Path

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        total = 0
        for pid in family(self.process.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def loop_cpu(self) -> float:
        """Seconds of CPU so far of the thread that runs the event loop of a server of one worker."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9

    def memory(self) -> int:
        """Bytes of memory of its own: resident, without pages that are shared files."""
        total = 0
        for pid in family(self.process.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("RssAnon:"):
                        total += int(line.split()[1]) * 1024
        return total

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start(
    name: str,
    command: Sequence[str],
    *,
    port: int,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    core: int | None = SERVER_CORE,
) -> Server:
    """Start a server in `folder` and wait until it listens. `core=None` lets it use them all."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{port}.log"
    wanted = set(AVAILABLE) if core is None else {core}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, wanted),  # noqa: PLW1509 - no thread runs here
        )
    server = Server(name, process, ("127.0.0.1", port), log)
    until = time.monotonic() + START
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(server.address, 1).close()
            return server
        if process.poll() is not None or time.monotonic() > until:
            server.stop()
            raise RuntimeError(f"{name} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def core_busy(core: int) -> float:
    """Seconds that a core has worked since boot, for whomever."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, line.split()[1:9])
            return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return 0.0
