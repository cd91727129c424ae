"""Django REST framework with knox: the token's row and its user are loaded. Logging out deletes the row."""

import asyncio
from datetime import timedelta

import django_base
from common import DAY, ROUTE, Prepared, revoking

django_base.configure(
    "knox",
    urls=__name__,
    authentication="knox.auth.TokenAuthentication",
    REST_KNOX={"TOKEN_TTL": timedelta(seconds=DAY)},
)

from django.core.wsgi import get_wsgi_application  # noqa: E402 - only after the settings
from django.urls import include, path  # noqa: E402
from knox.models import AuthToken  # noqa: E402

urlpatterns = [
    path(ROUTE.strip("/").replace("{", "<str:").replace("}", ">") + "/", django_base.datasets_view()),
    path("api/auth/", include("knox.urls")),
]
application = get_wsgi_application()


async def tokens(count: int) -> Prepared:
    users = await django_base.create_users(count)
    issued = [(await asyncio.to_thread(AuthToken.objects.create, user))[1] for user in users]
    return Prepared(issued, scheme="Token", revoke=revoking("POST", "/api/auth/logout/"))
