"""The program behind `keyhouse_server`: serves a company, and makes a token for each line that it reads.

Its settings are its environment. The first line of standard input is a JSON object with more `scopes`; once it serves,
it answers where, and who may log in. It ends with its input.
"""

import asyncio
import gc
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
import uvloop

from keyhouse import logs
from keyhouse.app import create_app
from keyhouse.db import migrations
from keyhouse.directory import argon2id
from keyhouse.settings import Settings
from keyhouse.testing.mint import Mint, settle


class _Server(uvicorn.Server):
    """Says at which port it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.port.set_result(self.servers[0].sockets[0].getsockname()[1])


async def _serve(say: Callable[[dict[str, Any]], None]) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    app = create_app(
        Settings(_env_file=None), scopes=json.loads(await lines.readline())["scopes"], secure_cookies=False
    )
    keyhouse = app.state.keyhouse
    await migrations.upgrade(keyhouse.database)
    # The backend is loaded at its first use, which may not be two at once; hashes don't wait for each other.
    argon2id.CONTEXT.handler().get_backend()
    mint = Mint(
        keyhouse,
        *await asyncio.gather(
            settle(keyhouse, "Acme", "admin@example.com"), settle(keyhouse, "Other", "admin@example.org")
        ),
    )
    admin = mint.admin
    api_key = await mint.token("valid")
    server = _Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve())
    begun: set[asyncio.Future[Any]] = {serving, server.port}
    await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
    gc.freeze()
    gc.enable()
    if not serving.done():
        say(
            {
                "base_url": f"http://127.0.0.1:{server.port.result()}",
                "company_id": admin.company_id,
                "email": admin.email,
                "password": admin.password,
                "api_key": api_key,
            }
        )
        async for line in lines:
            say({"token": await mint.token(line.decode().strip())})
    server.should_exit = True
    await serving


def main() -> None:
    # Whatever a library prints is for the log: standard output is for answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logs.configure("json")

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    uvloop.run(_serve(say))
