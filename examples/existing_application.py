"""An application that exists: five lines put the guard on it, and nothing else of it changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Request, Security
from fastapi.responses import PlainTextResponse

import keyhouse
from keyhouse import Principal, guard


class OutOfPaperError(Exception):
    """Something that this application raises."""


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, str]]:
    yield {"printer": "ready"}


app = FastAPI(title="Printing", lifespan=lifespan)
keyhouse.install(app, keyhouse.Settings(), scopes={"pages:print": "Print pages"})


@app.exception_handler(OutOfPaperError)
async def out_of_paper(_: Request, __: OutOfPaperError) -> PlainTextResponse:
    return PlainTextResponse("out of paper", 507)


@app.get("/status")
async def status(request: Request) -> dict[str, str]:
    """Open, as before, and with the errors that it always had."""
    return {"printer": request.state.printer}


@app.get("/companies/{company_id}/print")
async def print_page(who: Annotated[Principal, Security(guard, scopes=["pages:print"])], pages: int) -> dict[str, str]:
    """Guarded, outside `/api/` and without a last slash: the guard asks for `company_id` in the path, no more."""
    if pages > 100:
        raise OutOfPaperError
    return {"printed_by": who.user_id}
