"""What the load generator reaches against a server that does nothing: the figure above which it measures itself.

Run as a program it is that server.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import cast

from benchmarks import load, servers

BODY = b'{"results":[],"next_cursor":null}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Nothing(asyncio.Protocol):
    """Answers whatever comes, without reading it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        self.transport.write(ANSWER)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Nothing, "127.0.0.1", port)
    await server.serve_forever()


def reach(seconds: float = 1.0) -> float:
    root = str(Path(__file__).parent.parent)
    port = servers.free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.ceiling", str(port)]
        server = servers.start("nothing", command, port=port, folder=Path(folder), environment={"PYTHONPATH": root})
        try:
            request = load.request_bytes("/", {"Authorization": "Bearer " + "x" * 400})
            return load.run(server.address, load.hot([request]), seconds=seconds, body=BODY).rate
        finally:
            server.stop()


if __name__ == "__main__":
    import uvloop  # what uvicorn serves with, here and for every ASGI peer

    uvloop.run(serve(int(sys.argv[1])))
