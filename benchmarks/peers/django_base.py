"""What both Django peers share: the settings that `startproject` writes, SQLite, the view.

Two settings are kinder than the defaults, as Django's deployment notes advise: DEBUG is off and connections to the
database persist.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from common import SECRET, answer
from django.conf import settings
from django.core.management import call_command


def configure(*apps: str, urls: str, authentication: str, **more: Any) -> None:
    settings.configure(
        DEBUG=False,
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=urls,
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
            "rest_framework",
            *apps,
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": Path.cwd() / "django.db",
                "CONN_MAX_AGE": None,
            }
        },
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [authentication],
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        **more,
    )
    django.setup()


def datasets_view() -> Callable[..., Any]:
    from rest_framework.response import Response  # noqa: PLC0415 - only after the settings
    from rest_framework.views import APIView  # noqa: PLC0415

    class Datasets(APIView):
        def get(self, _request: Any, company_id: str) -> Response:  # noqa: ARG002
            return Response(answer())

    return Datasets.as_view()


async def create_users(count: int) -> list[Any]:
    def create() -> list[Any]:
        from django.contrib.auth.models import User  # noqa: PLC0415

        call_command("migrate", verbosity=0)
        User.objects.all().delete()
        User.objects.bulk_create(User(username=f"user{n}", password="!") for n in range(count))
        return list(User.objects.order_by("id"))

    return await asyncio.to_thread(create)
