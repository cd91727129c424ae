"""Other people's libraries as docs/verify-elsewhere.md has one use them, behind one function."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from authlib.oauth2 import OAuth2Error
from joserfc.errors import JoseError
from jwt import PyJWTError

from support.snippets import load


@dataclass(frozen=True)
class Verifier:
    """`verified` answers the claims of a token that has the scope, or raises one of `refusals`."""

    verified: Callable[[str, str], Any]
    refusals: tuple[type[Exception], ...]
    wait: Callable[[float], None]

    def takes(self, token: str, scope: str = "datasets:read") -> bool:
        try:
            self.verified(token, scope)
        except self.refusals:
            return False
        return True


class NodeRefusalError(Exception):
    """What a library on Node, or the snippet itself, said no with."""


def verifier(library: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Verifier:
    """A library in Python, with a clock that stands still unless one waits."""
    clock = SimpleNamespace(now=time.monotonic())
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)

    def wait(seconds: float) -> None:
        clock.now += seconds

    if library == "PyJWT":
        return Verifier(load(folder / "verify_pyjwt.py").verified, (PyJWTError, PermissionError), wait)
    signed = load(folder / "verify_joserfc.py")
    if library == "joserfc":
        # TypeError: what it trips over in a header before it looks at the signature.
        return Verifier(signed.verified, (JoseError, ValueError, TypeError, PermissionError), wait)
    monkeypatch.setitem(sys.modules, signed.__name__, signed)
    return Verifier(protector(load(folder / "verify_authlib.py").require_oauth), (OAuth2Error,), wait)


def protector(require_oauth: Any) -> Callable[[str, str], Any]:
    """Authlib's resource protector, as an integration with a web framework calls it."""

    def verified(token: str, scope: str) -> Any:
        request = SimpleNamespace(headers={"Authorization": f"Bearer {token}"})
        return require_oauth.validate_request([scope], request)

    return verified


@contextmanager
def node_verifier(folder: Path) -> Iterator[Verifier]:
    """jose, in a process of Node's that reads a token a line."""
    clock = SimpleNamespace(later=0.0)
    script = folder.parent / "verify_lines.mjs"
    with subprocess.Popen(
        ["node", script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        asked, told = process.stdin, process.stdout
        assert asked is not None
        assert told is not None

        def wait(seconds: float) -> None:
            clock.later += seconds

        def verified(token: str, scope: str) -> Any:
            asked.write(json.dumps({"token": token, "scope": scope, "later": clock.later}) + "\n")
            asked.flush()
            answer = json.loads(told.readline())
            if "claims" in answer:
                return answer["claims"]
            if str(answer["code"]).startswith("ERR_J") or answer["message"] in {"invalid_token", "insufficient_scope"}:
                raise NodeRefusalError(answer["message"])
            raise AssertionError(answer)

        yield Verifier(verified, (NodeRefusalError,), wait)
        asked.close()
