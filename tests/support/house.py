"""A Keyhouse for a proxy to ask, started as docs/forward-auth.md says."""

import re
from dataclasses import dataclass
from typing import Any

import httpx

from support.behind import Answer, ask, blocks
from support.servers import Server, Servers
from support.world import PASSWORD


@dataclass
class House:
    """A server with two companies, of which `company` has an admin."""

    servers: Servers
    server: Server
    database: str
    database_url: str
    company: str
    other: str

    def start(self) -> None:
        """The server again, at the same address."""
        self.server = self.servers.start(self.database_url, port=self.server.port, environment=environment())
        self.server.wait_until_ready()

    @property
    def base(self) -> str:
        """The path of the company, on the service behind the proxy too."""
        return f"/api/v1/companies/{self.company}"

    def call(self, method: str, path: str, token: str | None = None, **more: Any) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self.server.port}/api/v1/{path}"
        return httpx.request(method, url, headers=headers, timeout=30, **more)

    def log_in(self, email: str = "admin@example.com") -> str:
        answer = self.call("POST", "auth/token/", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def new_key(self, *scopes: str) -> dict[str, Any]:
        """A key of the first company, as it was answered."""
        body = {"name": "key", "expires_in": 86400, **({"scopes": scopes} if scopes else {})}
        answer = self.call("POST", f"companies/{self.company}/api-keys/", self.log_in(), json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def revoke(self, key: dict[str, Any]) -> None:
        answer = self.call("DELETE", f"companies/{self.company}/api-keys/{key['id']}/", key["token"])
        assert answer.status_code == 204, answer.text

    def verify(self, query: str, *headers: tuple[str, str]) -> Answer:
        """What Keyhouse itself answers a proxy."""
        return ask(self.server.port, "GET", f"/api/v1/auth/verify/{query}", *headers)

    def verdicts(self) -> int:
        """How often it was asked at `verify/`."""
        return self.server.log.read_text().count('"route":"/api/v1/auth/verify/"')


def environment() -> dict[str, str]:
    """What the page sets for `keyhouse serve`."""
    (line,) = (line for line in "".join(blocks("sh")).splitlines() if " keyhouse serve " in line)
    return dict(re.findall(r"(KEYHOUSE_\w+)=(\S+)", line))
