"""The example behind the proxy, with a line in the file `RECORD` for each request that reached it."""

import json
import os
from pathlib import Path
from typing import Any

from behind_a_proxy import app as service

_RECORD = Path(os.environ["RECORD"])


def _keep(seen: dict[str, Any]) -> None:
    with _RECORD.open("a") as record:
        record.write(json.dumps(seen) + "\n")


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        seen = {
            "method": scope["method"],
            "uri": (scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")).decode(
                "latin-1"
            ),
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        }
        _keep(seen)
    await service(scope, receive, send)
