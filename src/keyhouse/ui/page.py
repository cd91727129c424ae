"""Serves the page and its files from memory, each with the headers that keep a browser strict."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_STATIC = Path(__file__).resolve().parent / "static"
_PAGE = "index.html"
_MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# With Trusted Types of no policy, no script can make markup out of a text: a key's name can't become an element.
_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_STRICT: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_REFUSED = re.compile(r";q=0(\.0*)?$")
_FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent, plain and compressed."""

    media_type: str
    plain: bytes
    compressed: bytes
    etag: str

    @classmethod
    def of(cls, name: str, content: bytes) -> "StaticFile":
        # Weak: the plain and the compressed answer share it.
        etag = f'W/"{hashlib.sha256(content).hexdigest()[:20]}"'
        return cls(_MEDIA_TYPES[Path(name).suffix], content, gzip.compress(content, mtime=0), etag)

    def answer(self, request: Request, cache_control: str) -> Response:
        """The file, or 304 for a browser that has it."""
        headers = {**_STRICT, "Cache-Control": cache_control, "ETag": self.etag, "Vary": "Accept-Encoding"}
        if self.etag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        if not _takes_gzip(request):
            return Response(self.plain, headers=headers, media_type=self.media_type)
        return Response(self.compressed, headers={**headers, "Content-Encoding": "gzip"}, media_type=self.media_type)


def _takes_gzip(request: Request) -> bool:
    offers = request.headers.get("accept-encoding", "").replace(" ", "").lower().split(",")
    return any(offer.partition(";")[0] == "gzip" and not _REFUSED.search(offer) for offer in offers)


def router() -> APIRouter:
    """`/`, and the files that it names under `ui/<release>/`.

    A release is a digest of all of them, so that a browser keeps them for good and never mixes two releases.
    """
    contents = {path.name: path.read_bytes() for path in sorted(_STATIC.iterdir()) if path.suffix in _MEDIA_TYPES}
    present = hashlib.sha256(b"".join(name.encode() + contents[name] for name in contents)).hexdigest()[:12]
    page = StaticFile.of(_PAGE, _page(contents, present))
    files = {name: StaticFile.of(name, content) for name, content in contents.items() if name != _PAGE}

    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def answer_page(request: Request) -> Response:
        return page.answer(request, "no-cache")

    @routes.api_route("/ui/{release}/{name}", methods=["GET", "HEAD"])
    async def answer_file(release: str, name: str, request: Request) -> Response:
        if name not in files:
            raise HTTPException(404)
        # While machines of two releases serve one page, the other one's file must not stay.
        return files[name].answer(request, _FOR_GOOD if release == present else "no-store")

    return routes


def _page(contents: Mapping[str, bytes], release: str) -> bytes:
    """The page, naming every file at once: the browser asks for all of them in one round."""
    styles = [f'<link rel="stylesheet" href="ui/{release}/{name}">' for name in contents if name.endswith(".css")]
    modules = [f'<link rel="modulepreload" href="ui/{release}/{name}">' for name in contents if name.endswith(".js")]
    text = contents[_PAGE].decode()
    return text.replace("<!-- files -->", "\n    ".join(styles + modules)).replace("RELEASE", release).encode()
