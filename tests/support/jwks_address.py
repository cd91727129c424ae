"""An address at which one set of public keys stands after another, as where the signing key of a server changes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from support.issuers import Issuer


def jwks_of(issuer: Issuer) -> dict[str, Any]:
    """What it publishes."""
    answer = httpx.get(f"{issuer.server.base_url}/.well-known/jwks.json")
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.raise_for_status().json())


class JwksAddress:
    """Answers every path with the set that it was told to serve."""

    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}"
        self.body = b""

    def serve(self, jwks: dict[str, Any]) -> None:
        self.body = json.dumps(jwks).encode()


@contextmanager
def opened_jwks_address() -> Iterator[JwksAddress]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(address.body)

        def log_message(self, *_: Any) -> None:
            """Tests are silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = JwksAddress(server.server_port)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield address
        finally:
            server.shutdown()
