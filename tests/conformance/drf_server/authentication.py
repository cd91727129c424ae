"""Who asks, and whether they may here."""

import time
from typing import Any

import jwt
import store
from django.conf import settings
from django.http import Http404
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

KID = "kh-drf-1"
REALM = 'Bearer realm="api"'
DETAIL = "The provided token is expired or invalid."
RESOURCE = ["datasets:read", "datasets:write"]
MANAGEMENT = ["api_keys:read", "api_keys:rotate", "tokens:introspect", "audit:read"]


class InvalidToken(AuthenticationFailed):
    default_code = "invalid_token"
    default_detail = DETAIL


class Caller:
    """A user by an access token, or a key."""

    is_authenticated = True

    def __init__(self, claims: dict[str, Any], key: store.Row | None) -> None:
        self.claims = claims
        self.key = key
        self.scopes = key["scopes"] if key is not None else [*RESOURCE, *MANAGEMENT]


class Bearer(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return self._caller(token), None
        except InvalidToken:
            request._request.challenge = f'{REALM}, error="invalid_token", error_description="{DETAIL}"'
            raise

    def authenticate_header(self, request: Request) -> str:
        return getattr(request._request, "challenge", REALM)

    @staticmethod
    def _caller(token: str) -> Caller:
        try:
            claims = jwt.decode(
                token,
                settings.SECRET_KEY,
                algorithms=["HS256"],
                audience="drf",
                issuer="drf",
                options={"require": ["iss", "aud", "sub", "jti", "iat", "exp", "token_use"]},
            )
        except (jwt.PyJWTError, ValueError):
            raise InvalidToken from None
        if claims["token_use"] == "access":
            return Caller(claims, None)
        key = store.live_key(claims["jti"])
        if key is None:
            raise InvalidToken
        return Caller(claims, key)


class MayHere(BasePermission):
    """Company first, then scope, then the kind of token."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.user is None:
            return False
        if view.kwargs.get("company_id", store.COMPANY["id"]) != store.COMPANY["id"]:
            raise Http404
        needed = getattr(view, "scopes", {}).get(request.method)
        if needed == "access":
            return request.user.key is None
        return needed is None or needed in request.user.scopes


def signed(**claims: Any) -> str:
    own = {"iss": "drf", "aud": "drf", "sub": store.USER["id"], "iat": int(time.time())}
    return jwt.encode({**own, **claims}, settings.SECRET_KEY, headers={"kid": KID}, sort_headers=True)
