"""Django REST framework with simplejwt: the token is checked, then the user is loaded.

What its documentation offers to end a token, the blacklist, is for refresh tokens: the access token lives on.
"""

import asyncio
from datetime import timedelta

import django_base
from common import DAY, ROUTE, Prepared, revoking

django_base.configure(
    "rest_framework_simplejwt.token_blacklist",
    urls=__name__,
    authentication="rest_framework_simplejwt.authentication.JWTAuthentication",
    SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": timedelta(seconds=DAY)},
)

from django.core.wsgi import get_wsgi_application  # noqa: E402 - only after the settings
from django.urls import path  # noqa: E402
from rest_framework_simplejwt.tokens import RefreshToken  # noqa: E402
from rest_framework_simplejwt.views import TokenBlacklistView  # noqa: E402

urlpatterns = [
    path(ROUTE.strip("/").replace("{", "<str:").replace("}", ">") + "/", django_base.datasets_view()),
    path("api/token/blacklist/", TokenBlacklistView.as_view()),
]
application = get_wsgi_application()


async def tokens(count: int) -> Prepared:
    pairs = [await asyncio.to_thread(RefreshToken.for_user, user) for user in await django_base.create_users(count)]
    revoke = revoking("POST", "/api/token/blacklist/", {"refresh": str(pairs[0])})
    return Prepared([str(pair.access_token) for pair in pairs], revoke=revoke)
