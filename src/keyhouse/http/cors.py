"""Pages of other origins (CORS): which may use the API is a setting, and a refusal is the envelope like any other."""

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from keyhouse.errors import permission_denied
from keyhouse.http import envelope

_METHODS = ["GET", "HEAD", "POST", "PATCH", "DELETE"]
_TAKEN = ["Authorization", "Content-Type", "X-Request-ID"]
_EXPOSED = ["Location", "Retry-After", "WWW-Authenticate", "X-API-Key-Expires", "X-Request-ID"]


class Cors(CORSMiddleware):
    """Starlette's, for a list of exact origins and without cookies."""

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        super().__init__(
            app, allow_origins=[*origins], allow_methods=_METHODS, allow_headers=_TAKEN, expose_headers=_EXPOSED
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        answered = super().preflight_response(request_headers)
        if answered.status_code == 200:  # noqa: PLR2004 - a status
            return answered
        refused = envelope.answer(permission_denied(cause="preflight"))
        for name, value in answered.headers.items():
            if name.startswith("access-control-") or name == "vary":
                refused.headers[name] = value
        return refused
