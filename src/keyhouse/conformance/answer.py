"""What came back, and the finding that it is not what the contract says."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

_TELLING = ("Location", "Retry-After", "WWW-Authenticate")


class Mismatch(AssertionError):  # noqa: N818 - a finding, no error of ours
    """What was asked, what the contract expects, and what the server did."""

    def __init__(self, asked: str, expected: str, received: str) -> None:
        super().__init__(f"{asked}: expected {expected}, received {received}")
        self.asked = asked
        self.expected = expected
        self.received = received


class NoAnswerError(Mismatch):
    """There was none, and why."""

    def __init__(self, asked: str, why: str) -> None:
        super().__init__(asked, "an answer", f"none: {why}")
        self.why = why


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `asked` is the request's method and path."""

    asked: str
    status: int
    headers: httpx.Headers
    content: bytes

    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Raises `Mismatch` for a body that is not JSON in UTF-8."""
        try:
            return json.loads(self.content.decode())
        except ValueError:
            raise Mismatch(self.asked, "a body that is JSON in UTF-8", self.told()) from None

    def get(self, name: str) -> Any:
        """A member of the answer, which is an object. Raises `Mismatch` when it isn't, or has no such member."""
        value = self.json()
        if not isinstance(value, dict) or name not in value:
            raise Mismatch(self.asked, f"an object with {name}", self.told())
        return value[name]

    def told(self) -> str:
        """For the report, in full: what is cut can't be blanked out any more."""
        heads = [f"{name}: {self.headers[name]}" for name in _TELLING if name in self.headers]
        return "; ".join([str(self.status), *heads, self.text() or "no body"])
