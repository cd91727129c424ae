"""Real server processes for the tests: started, stopped in every way there is, and gone afterwards."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.postgres import free_port
from support.world import SECRET

_NURSERY = Path(__file__).with_name("nursery.py")
_PATIENCE = 30.0
# What the wrong kind of setting of the machine must not bring in, and what the load of a test would hit.
_SETTINGS = {
    "KEYHOUSE_SECRET_KEY": SECRET,
    "KEYHOUSE_LOGIN_RATE": "1000000/minute",
    "KEYHOUSE_DOCS": "false",
}


class Server:
    """One process of `keyhouse serve`, with one worker, at an address of its own."""

    def __init__(self, pid: int, host: str, port: int, log: Path) -> None:
        self.pid = pid
        self.host = host
        self.port = port
        self.log = log
        self._ended = False

    def is_running(self) -> bool:
        if self._ended:
            # Its id may be another process's by now.
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            self._ended = True
        return not self._ended

    def wait_until_ready(self, seconds: float = _PATIENCE) -> None:
        """Until `/healthz` answers. Raises RuntimeError, with the log, when the process ends or time is up."""
        end = time.monotonic() + seconds
        while not self._answers():
            if not self.is_running() or time.monotonic() > end:
                raise RuntimeError(f"no server at port {self.port}:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: keyhouse.test\r\nConnection: close\r\n\r\n")
                return connection.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """As `kill -9` does: nothing is finished, nothing is said."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an operator does: what was begun is answered."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, how)
                os.kill(self.pid, signal.SIGCONT)
        end = time.monotonic() + _PATIENCE
        while self.is_running():
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                raise RuntimeError(f"the server at port {self.port} did not end:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.002)

    def complaints(self) -> list[dict[str, Any]]:
        """What it logged as an error: a server that only loses its database has none to tell."""
        with self.log.open() as lines:
            return [json.loads(line) for line in lines if '"level":"error"' in line or '"level":"critical"' in line]


class Servers:
    """Starts servers on one database each. With `command` the processes are its children: `ip netns exec` is one."""

    def __init__(self, folder: Path, command: Sequence[str] = ()) -> None:
        self._folder = folder
        self._started: list[Server] = []
        self._nursery = subprocess.Popen(
            [*command, sys.executable, str(_NURSERY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(
        self,
        database_url: str,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        without: Sequence[str] = (),
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Server:
        """A server that has begun to start; `wait_until_ready` waits for it. `without` names what is taken out
        of it: its `promise`, its `notifications`.
        """
        port = port or free_port()
        log = log or self._folder / f"{port}.log"
        order = {
            "arguments": ["serve", "--host", host, "--port", str(port)],
            "environment": {**_SETTINGS, "KEYHOUSE_DATABASE_URL": database_url, **(environment or {})},
            "log": str(log),
            "without": list(without),
        }
        asked, told = self._nursery.stdin, self._nursery.stdout
        assert asked is not None
        assert told is not None
        asked.write(json.dumps(order) + "\n")
        asked.flush()
        server = Server(int(told.readline()), host, port, log)
        self._started.append(server)
        return server

    def several(self, count: int, database_url: str, **more: Any) -> list[Server]:
        """So many workers of one database, all of them ready."""
        started = [self.start(database_url, **more) for _ in range(count)]
        for server in started:
            server.wait_until_ready()
        return started

    def close(self) -> None:
        for server in self._started:
            server.kill()
        self._nursery.communicate()


@contextmanager
def running_servers(folder: Path, command: Sequence[str] = ()) -> Iterator[Servers]:
    """Starts servers, and ends all of them afterwards."""
    servers = Servers(folder, command)
    try:
        yield servers
    finally:
        servers.close()
