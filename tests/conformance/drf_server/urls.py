"""Where the routes are, and what is said where there are none."""

from collections.abc import Callable
from typing import Any

import views
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

_COMPANY = "api/v1/companies/<str:company_id>/"

urlpatterns = [
    path("api/v1/auth/token/", views.LogIn.as_view()),
    path("api/v1/auth/me/", views.Me.as_view()),
    path(f"{_COMPANY}api-keys/", views.Keys.as_view()),
    path(f"{_COMPANY}api-keys/<str:key_id>/", views.Key.as_view()),
    path(f"{_COMPANY}datasets/", views.Datasets.as_view()),
    path(f"{_COMPANY}datasets/<str:dataset_id>/", views.Dataset.as_view()),
]


def _told(status: int, kind: str, code: str, detail: str) -> Callable[..., JsonResponse]:
    """In the very bytes of DRF's renderer."""
    body = {"type": kind, "errors": [{"code": code, "detail": detail, "attr": None, "extra": None}]}
    dumps = {"separators": (",", ":")}
    return lambda *_, **__: JsonResponse(body, status=status, json_dumps_params=dumps)


handler404 = _told(404, "client_error", "not_found", "Not found.")
handler500 = _told(500, "server_error", "error", "A server error occurred.")


def no_store(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], Any]:
    def add(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Cache-Control"] = "no-store"
        return response

    return add
