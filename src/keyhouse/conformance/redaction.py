"""Keeps what opens doors out of every report."""

import re

_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_=-]*){0,2}")
# Anything shorter would blank out words that are none.
_SHORTEST = 4
_BLANK = "[secret]"


class Redaction:
    """Blanks out what it was told to, and whatever looks like a JWT."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def learn(self, secret: object) -> None:
        """From now on this text is blanked out, if it is one."""
        if isinstance(secret, str) and len(secret) >= _SHORTEST:
            self._secrets.add(secret)

    def __call__(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, _BLANK)
        return _JWT.sub(_BLANK, text)
