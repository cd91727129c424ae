"""Waits for what happens by itself, and fails when it doesn't."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

_PATIENCE = 10.0


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Returns as soon as the condition holds; raises TimeoutError after ten seconds."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await asyncio.sleep(0.005)
