"""authx as its quick start says, with the blocklist of its documentation: a set in the worker's own memory."""

from datetime import timedelta
from typing import Annotated

from authx import AuthX, AuthXConfig, RequestToken
from common import DAY, ROUTE, SECRET, Prepared, answer, revoking
from fastapi import Depends, FastAPI, Response

auth = AuthX(config=AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["headers"]))
app = FastAPI()
auth.handle_errors(app)
blocklist: set[str] = set()


@auth.set_callback_token_blocklist
def is_revoked(token: str) -> bool:
    return token in blocklist


@app.get(ROUTE, dependencies=[Depends(auth.access_token_required)])
async def datasets() -> dict[str, object]:
    return answer()


@app.post("/logout", dependencies=[Depends(auth.access_token_required)])
async def logout(token: Annotated[RequestToken, Depends(auth.get_access_token_from_request)]) -> Response:
    blocklist.add(token.token)
    return Response(status_code=204)


async def tokens(count: int) -> Prepared:
    issued = [auth.create_access_token(uid=f"user{n}", expiry=timedelta(seconds=DAY)) for n in range(count)]
    return Prepared(issued, revoke=revoking("POST", "/logout"))
