"""Log-in, keys and datasets in Django REST framework with drf-standardized-errors, as somebody else would write them.

For the suite of the contract to be tried on a server that shares nothing with Keyhouse. It was not bent to the
contract: what the framework does by itself it does. It prints one JSON object once it serves, and ends with its input.
"""

import asyncio
import json
import secrets
import socket
import sys

import django
import uvicorn
from django.conf import settings

settings.configure(
    SECRET_KEY=secrets.token_urlsafe(48),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="urls",
    USE_TZ=True,
    TIME_ZONE="UTC",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "urls.no_store"],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=["rest_framework", "drf_standardized_errors"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["authentication.Bearer"],
        "DEFAULT_PERMISSION_CLASSES": ["authentication.MayHere"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
        "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%SZ",
        "UNAUTHENTICATED_USER": None,
    },
    DRF_STANDARDIZED_ERRORS={"EXCEPTION_FORMATTER_CLASS": "envelope.WithExtra", "NESTED_FIELD_SEPARATOR": "."},
)
django.setup()

import store  # noqa: E402 - only after the settings
from django.core.asgi import get_asgi_application  # noqa: E402 - as above


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        user, company = store.USER, store.COMPANY
        told = {"company_id": company["id"], "email": user["email"], "password": user["password"]}
        sys.stdout.write(json.dumps({"base_url": f"http://127.0.0.1:{port}", **told}) + "\n")
        sys.stdout.flush()


async def serve() -> None:
    server = Server(uvicorn.Config(get_asgi_application(), port=0, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


asyncio.run(serve())
