"""How often somebody may try. Counts are kept by `limits`, in this process or in Redis."""

import ipaddress
import math
import time
from typing import Any

from limits import parse
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import ConfigurationError as UnavailableError
from limits.errors import StorageError
from limits.storage import storage_from_string

from keyhouse.errors import throttled, unavailable
from keyhouse.settings import ConfigurationError

_IPV6_PREFIX = 64
# Seconds; a Redis that says nothing must not hold up a log-in for longer.
_REDIS: Any = {"implementation": "redispy", "socket_connect_timeout": 2, "socket_timeout": 2}


class Throttle:
    """One rate for every kind of try at a secret."""

    def __init__(self, rate: str, storage: str) -> None:
        """`rate` as `limits` writes it (`10/minute`); `storage` is `memory://` or `redis://…`.

        Raises `ConfigurationError` when the client of the storage is not installed.
        """
        self._rate = parse(rate)
        options = {} if storage.startswith("memory:") else _REDIS
        try:
            counts = storage_from_string(f"async+{storage}", wrap_exceptions=True, **options)
        except UnavailableError:
            raise ConfigurationError(
                "KEYHOUSE_RATE_LIMIT_STORAGE: Redis needs the extra: pip install 'keyhouse[redis]'"
            ) from None
        self._limiter = MovingWindowRateLimiter(counts)

    async def log_in(self, client: str | None, email: str) -> None:
        """Counts a log-in, by address and by e-mail with address. Raises `throttled`."""
        address = _network(client)
        await self._count(("address", address), ("email", email, address))

    async def secret(self, client: str | None, user_id: str) -> None:
        """Counts a try at a user's present password. Raises `throttled`."""
        address = _network(client)
        await self._count(("address", address), ("user", user_id))

    async def token(self, client: str | None) -> None:
        """Counts a token handed in without credentials. Raises `throttled`."""
        await self._count(("token", _network(client)))

    async def _count(self, *counters: tuple[str, ...]) -> None:
        try:
            for counter in counters:
                if not await self._limiter.hit(self._rate, *counter):
                    reset, _ = await self._limiter.get_window_stats(self._rate, *counter)
                    raise throttled(max(1, math.ceil(reset - time.time())))
        except StorageError as error:
            # Without a count there would be no limit.
            raise unavailable("rate limit storage") from error


def _network(client: str | None) -> str:
    """The address, of IPv6 the /64: a single household has that many."""
    try:
        address = ipaddress.ip_address(client or "")
    except ValueError:
        return client or "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False).network_address)
    return str(address)
