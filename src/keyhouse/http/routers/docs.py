"""`/docs`: the OpenAPI document as a page. Nothing on it comes from another host, and no script or style is inline."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse

from keyhouse.errors import not_found

_ASSETS = Path(__file__).resolve().parent.parent / "docs_assets"
_FILES: Final = {
    "start.js": (_ASSETS / "start.js", "text/javascript"),
    "swagger-ui-bundle.js": (_ASSETS / "swagger-ui" / "swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": (_ASSETS / "swagger-ui" / "swagger-ui.css", "text/css"),
}
_HEADERS: Final = {
    # `data:` for the icons in Swagger UI's style sheet, which can be nothing but pictures.
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def router() -> APIRouter:
    """The page and its files. Its script reads `openapi.json` beside it."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    async def page() -> FileResponse:
        return FileResponse(_ASSETS / "index.html", media_type="text/html", headers=_HEADERS)

    @routes.get("/docs/{name}")
    async def file(name: str) -> FileResponse:
        if name not in _FILES:
            raise not_found()
        path, media_type = _FILES[name]
        return FileResponse(path, media_type=media_type, headers=_HEADERS)

    return routes
