"""FastAPI alone: the same path without a guard, what a guard could reach at best."""

from common import ROUTE, Prepared, answer
from fastapi import FastAPI

app = FastAPI()


@app.get(ROUTE)
async def datasets() -> dict[str, object]:
    return answer()


async def tokens(count: int) -> Prepared:
    return Prepared(["none"] * count)
