"""Speaks HTTP with the server that is checked, keeps the log-ins few, and remembers what it has to clear away."""

import json
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import httpx

from keyhouse.conformance.answer import Answer, Mismatch, NoAnswerError
from keyhouse.conformance.redaction import Redaction
from keyhouse.conformance.target import Target

AUTH = "/api/v1/auth"
COMPANIES = "/api/v1/companies"
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_THROTTLED, _OK, _CREATED, _NO_CONTENT = 429, 200, 201, 204
_TIMEOUT_SECONDS = 30
_LONGEST_WAIT_SECONDS = 120
_MOST_WAITS = 5
# A key that could not be cleared away lives no longer than this.
KEY_SECONDS = 3600
_RENEW_AT = 0.7

Body = bytes | Iterator[bytes]


class Api:
    """The server, as one user of one company sees it."""

    def __init__(
        self,
        target: Target,
        redaction: Redaction,
        pause: Callable[[float], None] = time.sleep,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`pause` waits for some seconds; `note` is told why."""
        self.target = target
        self.company = f"{COMPANIES}/{target.company_id}"
        self.datasets = f"{self.company}/datasets/"
        self.api_keys = f"{self.company}/api-keys/"
        self.pause = pause
        self._redaction = redaction
        self._note = note
        self._tls = ssl.create_default_context()
        self._http = self.connection()
        self._made: list[str] = []
        self._sessions: list[str] = []
        self._log_in: Answer | None = None
        self._renew_after = 0.0
        redaction.learn(target.password)

    def connection(self) -> httpx.Client:
        """A connection of its own to the server; the caller closes it."""
        return httpx.Client(
            base_url=self.target.url.rstrip("/"),
            verify=self._tls,
            timeout=_TIMEOUT_SECONDS,
            limits=httpx.Limits(max_keepalive_connections=1),
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: Body | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> Answer:
        """One request, on no account followed by another. `json` or `form` is the body, or `content` as it is.

        Raises `NoAnswerError` when there is no answer at all.
        """
        asked = f"{method} {path}"
        heads = list(headers)
        if token is not None:
            heads.append(("Authorization", f"Bearer {token}"))
        if json is not None:
            content = encode(json)
            heads.append(("Content-Type", _JSON))
        elif form is not None:
            content = urlencode(form).encode()
            heads.append(("Content-Type", _FORM))
        try:
            answered = self._http.request(method, path, headers=heads, content=content)
            # A cookie that came back would be one more credential.
            self._http.cookies.clear()
        except httpx.HTTPError as error:
            raise NoAnswerError(asked, str(error) or type(error).__name__) from None
        answer = Answer(asked, answered.status_code, answered.headers, answered.content)
        self._remember(method, path, answer)
        return answer

    def log_in(self, email: str | None = None, password: str | None = None) -> Answer:
        """One try at a log-in, after as long a wait as the server asks for; without arguments the target's own."""
        body = {
            "email": self.target.email if email is None else email,
            "password": self.target.password if password is None else password,
        }
        return self.patiently(lambda: self.send("POST", f"{AUTH}/token/", json=body))

    def patiently(self, act: Callable[[], Answer]) -> Answer:
        """The first answer that is not 429."""
        answer = act()
        for _ in range(_MOST_WAITS):
            if answer.status != _THROTTLED:
                break
            seconds = answer.headers.get("Retry-After", "")
            if not seconds.isdigit() or int(seconds) > _LONGEST_WAIT_SECONDS:
                raise Mismatch(answer.asked, f"Retry-After of at most {_LONGEST_WAIT_SECONDS}", answer.told())
            self._note(f"{answer.asked} is throttled: waiting {seconds} s")
            self.pause(int(seconds))
            answer = act()
        return answer

    def session(self) -> dict[str, Any]:
        """A session of its own for a check that will end it. Raises `Mismatch` when the log-in is refused."""
        answer = self.log_in()
        for name in ("access_token", "refresh_token"):
            answer.get(name)
        return dict(answer.json())

    @property
    def access(self) -> str:
        """An access token that lives: of the first log-in, as long as that one lasts."""
        return str(self.first_log_in.get("access_token"))

    @property
    def first_log_in(self) -> Answer:
        """The answer with which the session of `access` began."""
        if self._log_in is None or time.monotonic() >= self._renew_after:
            self.adopt(self.log_in())
        return self._log_in or self.first_log_in

    def adopt(self, log_in: Answer) -> None:
        """Makes the session of a log-in the one of `access`."""
        seconds = log_in.json().get("expires_in")
        # One that does not say how long it lives is taken for a minute's.
        lives = seconds if isinstance(seconds, int) else 60
        self._renew_after = time.monotonic() + lives * _RENEW_AT
        self._log_in = log_in

    def new_key(self, *, token: str | None = None, **body: Any) -> dict[str, Any]:
        """A new API key as it was answered. Raises `Mismatch` when there is none."""
        values = {"name": "conformance", "expires_in": KEY_SECONDS, **body}
        answer = self.send("POST", self.api_keys, token=token or self.access, json=values)
        if answer.status != _CREATED:
            raise Mismatch(answer.asked, "201, a new API key", answer.told())
        for name in ("id", "token"):
            answer.get(name)
        return dict(answer.json())

    def clear_away(self) -> list[str]:
        """Revokes and deletes all that was made, ends the sessions, and answers what could not be cleared away."""
        try:
            access = self.access
        except Mismatch as mismatch:
            return [str(mismatch)]

        def delete(path: str) -> str | None:
            return self._problem("DELETE", path, access, gone=404)

        def log_out(token: str) -> str | None:
            return self._problem("POST", f"{AUTH}/logout/", token, gone=401)

        with ThreadPoolExecutor(8) as pool:
            problems = [*pool.map(delete, reversed(self._made))]
            problems += pool.map(log_out, [token for token in self._sessions if token != access])
        return [problem for problem in (*problems, log_out(access)) if problem is not None]

    def close(self) -> None:
        self._http.close()

    def _problem(self, method: str, path: str, token: str, *, gone: int) -> str | None:
        try:
            answer = self.send(method, path, token=token)
        except Mismatch as mismatch:
            return str(mismatch)
        return None if answer.status in {200, 202, 204, gone} else f"{answer.asked}: {answer.told()}"

    def _remember(self, method: str, path: str, answer: Answer) -> None:
        """Whatever was made, also by a request that should have been refused, and whatever opens a door."""
        if method == "DELETE" and answer.status == _NO_CONTENT and path in self._made:
            self._made.remove(path)
        if method != "POST" or answer.status not in {_OK, _CREATED}:
            return
        try:
            body = answer.json()
        except Mismatch:
            return
        if not isinstance(body, dict):
            return
        for name in ("access_token", "refresh_token", "token"):
            self._redaction.learn(body.get(name))
        if isinstance(body.get("access_token"), str):
            self._sessions.append(body["access_token"])
        for kind in (self.api_keys, self.datasets):
            if path.startswith(kind.rstrip("/")) and isinstance(body.get("id"), str):
                self._made.append(f"{kind}{body['id']}/")


def encode(value: Any) -> bytes:
    """A JSON value as the wire has it."""
    return json.dumps(value, separators=(",", ":")).encode()
