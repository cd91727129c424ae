"""FastAPI with an async dependency that does nothing: the framework's own price of having a guard at all."""

from typing import Annotated

from common import ROUTE, Prepared, answer
from fastapi import Depends, FastAPI

app = FastAPI()


async def nothing() -> None:
    """No parameters, no work."""


@app.get(ROUTE)
async def datasets(_: Annotated[None, Depends(nothing)]) -> dict[str, object]:
    return answer()


async def tokens(count: int) -> Prepared:
    return Prepared(["none"] * count)
