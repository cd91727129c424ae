"""A service behind a real nginx, both in processes of their own and configured as docs/forward-auth.md says."""

import contextlib
import datetime as dt
import http.client
import json
import os
import re
import shlex
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.postgres import free_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "forward-auth.md").read_text()
# The page's own, in whose place come free ports and the test's folder.
KEYHOUSE, SERVICE, SITE = "127.0.0.1:8000", "127.0.0.1:9000", "api.example.com"
_CERTIFICATE, _KEY = "/etc/ssl/certs/api.example.com.pem", "/etc/ssl/private/api.example.com.key"
_PATIENCE = 30.0
# Around the page's file, as Debian's nginx.conf has it; in one process, and with nothing outside the folder.
_AROUND = """
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxied; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    include site.conf;
}
"""


def blocks(language: str) -> list[str]:
    """The page's blocks of code in that language."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    return [dedent(text) for text in found]


def block(language: str) -> str:
    """The page's only block in that language."""
    (found,) = blocks(language)
    return found


def replaced(text: str, places: dict[str, str]) -> str:
    """The text with each of these in place of its key, which must be there."""
    for old, new in places.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got, as it was sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def every(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found.lower() == name.lower()]

    def json(self) -> Any:
        return json.loads(self.body)


def bearer(key: dict[str, Any]) -> tuple[str, str]:
    return "Authorization", f"Bearer {key['token']}"


def ask(
    port: int,
    method: str,
    uri: str,
    *headers: tuple[str, str],
    body: bytes | Iterator[bytes] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request, its URI and its headers as they are; an iterator's body goes in chunks."""
    if tls is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=_PATIENCE, context=tls)
    with contextlib.closing(connection):
        connection.putrequest(method, uri, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        chunked = body is not None and not isinstance(body, bytes)
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif body is not None:
            connection.putheader("Content-Length", str(len(body)))  # type: ignore[arg-type] # bytes
        connection.endheaders(body, encode_chunked=chunked)
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())


class Process:
    """A program that listens, with its output in a file."""

    def __init__(self, command: Sequence[str], port: int, folder: Path, environment: dict[str, str]) -> None:
        self.port = port
        self._log = folder / f"{Path(command[0]).name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_until_ready(self) -> None:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(self._log.read_text()) from None
                time.sleep(0.01)
            else:
                return

    def close(self) -> None:
        self._process.kill()
        self._process.wait(_PATIENCE)


class Service(Process):
    """The page's example, which keeps what it was sent."""

    def __init__(self, folder: Path) -> None:
        self._record = folder / "record"
        self._record.touch()
        (command,) = (line for line in "".join(blocks("sh")).splitlines() if line.startswith("uvicorn "))
        port = free_port()
        command = replaced(command, {"examples.behind_a_proxy:app": "support.recorder:app", "9000": str(port)})
        path = os.pathsep.join([str(ROOT / "tests"), str(ROOT / "examples")])
        environment = {"PYTHONPATH": path, "RECORD": str(self._record)}
        super().__init__([sys.executable, "-m", *shlex.split(command)], port, folder, environment)

    def seen(self) -> list[dict[str, Any]]:
        """The requests that reached it."""
        return [json.loads(line) for line in self._record.read_text().splitlines()]


class Nginx(Process):
    """The page's nginx between clients and those two."""

    def __init__(self, folder: Path, keyhouse: int, service: int) -> None:
        port = free_port()
        _certify(folder)
        places = {
            KEYHOUSE: f"127.0.0.1:{keyhouse}",
            SERVICE: f"127.0.0.1:{service}",
            "listen 443": f"listen 127.0.0.1:{port}",
            _CERTIFICATE: "site.pem",
            _KEY: "site.key",
        }
        (folder / "site.conf").write_text(replaced(block("nginx"), places))
        (folder / "nginx.conf").write_text(_AROUND)
        self.certificate = folder / "site.pem"
        self._tls = ssl.create_default_context(cafile=self.certificate)
        self._tls.check_hostname = False
        path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"])
        command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
        super().__init__(command, port, folder, {"PATH": path})

    def ask(
        self, method: str, uri: str, *headers: tuple[str, str], body: bytes | Iterator[bytes] | None = None
    ) -> Answer:
        return ask(self.port, method, uri, *headers, body=body, tls=self._tls)


def _certify(folder: Path) -> None:
    """Writes a certificate of the site's, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, SITE)])
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SITE)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "site.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    kind, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "site.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, bare))


@contextmanager
def running_service(folder: Path) -> Iterator[Service]:
    service = Service(folder)
    with contextlib.closing(service):
        service.wait_until_ready()
        yield service


@contextmanager
def running_nginx(folder: Path, keyhouse: int, service: int) -> Iterator[Nginx]:
    nginx = Nginx(folder, keyhouse, service)
    with contextlib.closing(nginx):
        nginx.wait_until_ready()
        yield nginx
