"""What is known of one request and its answer, from its first byte to its log line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhouse.audit import Actor, Origin
from keyhouse.gate.principal import Principal

if TYPE_CHECKING:
    from keyhouse.gate.resolver import Gate

# Where the ASGI scope holds it.
SCOPE_KEY = "keyhouse"
Headers = Sequence[tuple[bytes, bytes]]
# Address and port, as an ASGI scope has them.
Peer = tuple[str, int]


@dataclass(slots=True, eq=False)
class Exchange:
    """`cause` is why the request was refused; `key_ends_in` is how many seconds an API key has left.

    Its id and the client are looked for when they are asked for: on a host's own routes hardly a request is. It holds
    what they are found in and not the scope, in which it is itself: a circle keeps a whole request in memory until the
    garbage collector comes, and the next one finds the processor's caches cold.
    """

    gate: "Gate"
    headers: Headers
    peer: Peer | None
    describe: Callable[[Headers, Peer | None], tuple[str, str | None]]
    principal: Principal | None = None
    cause: str | None = None
    key_ends_in: float | None = None
    _described: tuple[str, str | None] | None = None

    @property
    def request_id(self) -> str:
        """The client's name for the request, if it has a good one, else ours."""
        return self.described()[0]

    @property
    def client(self) -> str | None:
        """The caller's address as far as it is believed."""
        return self.described()[1]

    def described(self) -> tuple[str, str | None]:
        """Its `request_id` and its `client`."""
        if self._described is None:
            self._described = self.describe(self.headers, self.peer)
        return self._described

    def origin(self) -> Origin:
        """For the audit events of what this request changes."""
        who = self.principal
        if who is None:
            actor = None
        elif who.credential_type == "api_key":
            actor = Actor("api_key", who.credential_id)
        else:
            actor = Actor("user", who.user_id)
        return Origin(actor, self.client, self.request_id)
