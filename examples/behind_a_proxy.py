"""A service that knows nothing of Keyhouse: the proxy in front asks `verify/` and passes on what it answered.

It stands for a service in any language. Whoever can reach it without the proxy can be anybody, so it listens on
loopback or a private network alone. `docs/forward-auth.md` has the proxies' configurations.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answers who the proxy says is asking, and how many bytes they sent."""
    if scope["type"] != "http":
        return
    received, more = 0, True
    while more:
        message = await receive()
        received += len(message.get("body", b""))
        more = message.get("more_body", False)
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    # No default: a request without them did not come by the proxy's leave, and fails.
    answer = {
        "company": headers["x-auth-company"],
        "user": headers["x-auth-user"],
        "scopes": headers["x-auth-scopes"].split(),
        "received": received,
    }
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
    await send(start)
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
