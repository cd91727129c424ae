"""The refresh token of a browser's session, in a cookie that no script can read and no other site can use."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keyhouse.http.bodies import was_implied

SECURE_NAME = "__Host-keyhouse_refresh"
PLAIN_NAME = "keyhouse_refresh"


class RefreshCookie:
    """Puts, takes and clears the cookie.

    With `secure` it has the `__Host-` prefix: a browser keeps and sends it over HTTPS alone, and takes it from no
    other host of the same site. Without, for development over HTTP, it has another name, which `secure` never reads.
    """

    def __init__(self, *, secure: bool) -> None:
        self.name = SECURE_NAME if secure else PLAIN_NAME
        self._secure = secure

    def put(self, response: Response, token: str, seconds: int) -> None:
        """The browser keeps `token` for so many seconds."""
        response.set_cookie(
            self.name, token, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="strict"
        )

    def clear(self, response: Response) -> None:
        self.put(response, "", 0)

    def came(self, request: Request) -> bool:
        """Whether the request carries the cookie, to be honoured or not."""
        return self.name in request.cookies

    def honoured(self, request: Request) -> str | None:
        """The token that came in the cookie, of a request that a page of this origin sent as JSON.

        SameSite keeps other sites out but lets other hosts of the same site in; `Sec-Fetch-Site`, which no script can
        set, tells them apart. A browser that does not send it gets no session from a cookie.
        """
        if request.headers.getlist("sec-fetch-site") != ["same-origin"] or was_implied(request.scope):
            return None
        return request.cookies.get(self.name) or None

    def given(self) -> dict[int | str, dict[str, Any]]:
        """For a route's `responses`: the answer may put the cookie."""
        return {200: {"headers": {"Set-Cookie": {"description": self._flags(), "schema": {"type": "string"}}}}}

    def cleared(self) -> dict[int | str, dict[str, Any]]:
        """For a route's `responses`: the answer clears the cookie."""
        return {204: {"headers": {"Set-Cookie": {"description": "Clears the cookie", "schema": {"type": "string"}}}}}

    def taken(self) -> dict[str, Any]:
        """For a route's `openapi_extra`: what a request with the cookie is made of."""
        return {
            "parameters": [
                {
                    "name": self.name,
                    "in": "cookie",
                    "required": False,
                    "description": "The refresh token of a session begun with `session: cookie`",
                    "schema": {"type": "string"},
                },
                {
                    "name": "Sec-Fetch-Site",
                    "in": "header",
                    "required": False,
                    "description": "The cookie is honoured with `same-origin` alone, as browsers send it",
                    "schema": {"type": "string"},
                },
            ]
        }

    def _flags(self) -> str:
        flags = "HttpOnly; SameSite=Strict; Path=/" + ("; Secure" if self._secure else "")
        return f"With `session: cookie`, the refresh token as `{self.name}` ({flags})"
