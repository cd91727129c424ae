"""Whose request it is: the peer, or what a trusted proxy says of it. Nothing else is believed."""

import ipaddress
from collections.abc import Iterable, Sequence

from keyhouse.gate.exchange import Headers, Peer

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Clients:
    """Tells the client's address from the connection and, behind trusted proxies, from `X-Forwarded-For`."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._trusted: Sequence[_Network] = [ipaddress.ip_network(item, strict=False) for item in trusted_proxies]

    def address(self, headers: Headers, client: Peer | None) -> str | None:
        """The nearest address that is no trusted proxy's; None when the server does not know the peer."""
        peer = str(client[0]) if client else None
        if not self._trusted or not self.is_trusted(peer):
            return peer
        hops: list[str] = [
            hop.strip()
            for name, value in headers
            if name == b"x-forwarded-for"
            for hop in value.decode("latin-1").split(",")
        ]
        for hop in reversed(hops):
            if _parse(hop) is None:
                return peer
            if not self.is_trusted(hop):
                return hop
        return hops[0] if hops else peer

    def is_trusted(self, address: str | None) -> bool:
        parsed = _parse(address or "")
        return parsed is not None and any(parsed in network for network in self._trusted)


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
