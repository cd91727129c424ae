"""The HTTP server alone: an application that does nothing but answer, what anything on uvicorn could reach at best."""

import json
from typing import Any

from common import Prepared, answer


async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = json.dumps(answer(), separators=(",", ":")).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def tokens(count: int) -> Prepared:
    return Prepared(["none"] * count)
