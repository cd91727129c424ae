"""Secrets looked for where none may be: in logs, metrics, traces, errors and databases."""

import base64
import json
import mmap
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

from support.world import PASSWORD, SECRET

# Of our own making: a header that names one of our keys and what follows it, or a refresh token.
TOKEN = re.compile(
    rb"eyJhbGciOiJ(?:IUzI1NiI|FZERTQSI|FUzI1NiI|SUzI1NiI)sImtpZCI6ImtoL[\w-]+\.[\w-]{20,}(?:\.[\w-]*)?|khr_[A-Za-z0-9_-]{43}"
)
_ANY = re.compile(TOKEN.pattern + b"|" + re.escape(PASSWORD.encode()) + b"|" + re.escape(SECRET.encode()))
# A shorter text is found by accident.
_SHORTEST = 12


class Secrets:
    """What must not be found, in every form that it may have taken on its way."""

    def __init__(self) -> None:
        self._forms: dict[bytes, str] = {}

    def __len__(self) -> int:
        return len(self._forms)

    def add(self, name: str, *texts: str) -> None:
        for text in texts:
            for part in _parts(text):
                self._forms.update((form, name) for form in _forms(part) if len(form) >= _SHORTEST)

    def found_in(self, data: bytes) -> set[str]:
        """The names of those that are there."""
        return {name for form, name in self._forms.items() if form in data}


def _parts(text: str) -> Iterator[bytes]:
    """The text itself and, of a token, what it could be told by: its claims, its signature, its random bytes."""
    yield text.encode("utf-8", "surrogatepass")
    segments = text.split(".")[1:3] if text.startswith("eyJ") else [text[4:]] if text.startswith("khr_") else []
    for segment in segments:
        yield segment.encode()
        if len(segment) % 4 != 1 and re.fullmatch(r"[\w-]+", segment, re.ASCII):
            yield base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _forms(data: bytes) -> Iterator[bytes]:
    yield data
    yield data.hex().encode()
    yield data.hex().upper().encode()
    text = data.decode("utf-8", "replace")
    yield json.dumps(text)[1:-1].encode()
    yield repr(data)[2:-1].encode()
    yield quote(data, safe="").encode()
    yield quote_plus(data).encode()
    # Within a longer text that is in base64 it begins at one of three places.
    for before in range(3):
        coded = base64.b64encode(bytes(before) + data).rstrip(b"=")
        whole = coded[before and before + 1 : len(coded) - 1]
        yield whole
        yield whole.replace(b"+", b"-").replace(b"/", b"_")


def leaks_in(data: bytes | mmap.mmap) -> list[str]:
    """Whatever looks like a token of ours, or is a secret that the tests have in common; cut short."""
    return [found[0][:40].decode() + "…" for found in _ANY.finditer(data)]


def leaks_below(folder: Path, patterns: Iterable[str]) -> dict[str, list[str]]:
    """The same in files, by their names."""
    found = {}
    for pattern in patterns:
        for path in folder.rglob(pattern):
            if not path.is_file() or path.is_symlink() or path.stat().st_size == 0:
                continue
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if leaks := leaks_in(data):
                    found[str(path)] = leaks
    return found
