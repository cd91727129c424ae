"""A walk past every route and every error of a server, with secrets in every place where a client can put one."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from support.callers import access, access_claims, key, new_item
from support.forgeries import OF_HEADER, OF_TEXT, Good, of_claims
from support.leaks import TOKEN, Secrets
from support.operations import AUTH, OPERATIONS, Operation
from support.world import PASSWORD, Person, World, bearer

WRONG_PASSWORD = "canary-wrong-Passphrase-51c7"
NEW_PASSWORD = "canary-new-Passphrase-a290 ü"
TYPED_AS_EMAIL = "canary-typed-as-email-77f3@example.com"


class Walk:
    """Who walks: `secrets` are what was given out and sent, `errors` every refusal as it was answered."""

    def __init__(self, world: World, secrets: Secrets) -> None:
        self.world = world
        self.secrets = secrets
        self.errors: list[bytes] = []
        self.statuses: set[int] = set()

    async def _keep(self, answer: httpx.Response) -> None:
        body = await answer.aread()
        self.statuses.add(answer.status_code)
        head = b"\n".join(b": ".join(pair) for pair in answer.headers.raw)
        if answer.is_error:
            self.errors.append(head + b"\n\n" + body)
        for given in TOKEN.findall(body if answer.is_success else b""):
            self.secrets.add("a token in an answer", given.decode())
        for value in answer.cookies.values():
            self.secrets.add("a token in a cookie", value)
        if token := answer.request.headers.get("authorization", "").partition(" ")[2]:
            self.secrets.add("a token that was sent", token)

    @asynccontextmanager
    async def to(self, base_url: str) -> AsyncIterator["Walk"]:
        """What the world does over HTTP, it does to this server from now on."""
        async with httpx.AsyncClient(
            base_url=base_url, timeout=30, event_hooks={"response": [self._keep]}, trust_env=False
        ) as http:
            self.world.http = http
            yield self

    async def everything(self) -> None:
        await self._sessions()
        callers = {
            "access": await access(self.world, self.world.admin),
            "member": await access(self.world, self.world.member),
            "key": await key(self.world, self.world.admin),
            "reader": await key(self.world, self.world.admin, scopes=["datasets:read"]),
            "dead": await self._dead_key(),
            "nobody": {},
        }
        for headers in callers.values():
            for operation in OPERATIONS:
                if operation.path != f"{AUTH}/logout/":
                    await self._operate(operation, headers)
        await self._forgeries()
        await self._misplaced()
        await self.world.request("POST", f"{AUTH}/logout/", callers["access"])
        for path in ("/healthz", "/readyz", "/metrics", "/.well-known/jwks.json", "/", "/docs", "/openapi.json"):
            await self.world.request("GET", path)

    async def _sessions(self) -> None:
        """Log-ins, right and wrong; refresh, reuse, the cookie, a new password."""
        world = self.world
        self.secrets.add("a password", PASSWORD, WRONG_PASSWORD, NEW_PASSWORD, TYPED_AS_EMAIL)
        person = await world.new_person("ada@example.com", world.company)
        for email, password in (
            ("ada@example.com", WRONG_PASSWORD),
            ("nobody@example.com", WRONG_PASSWORD),
            (TYPED_AS_EMAIL, WRONG_PASSWORD),
            (WRONG_PASSWORD, WRONG_PASSWORD),
            (person.tokens["refresh_token"], person.tokens["access_token"]),
        ):
            await world.request("POST", f"{AUTH}/token/", json={"email": email, "password": password})
        first = person.tokens["refresh_token"]
        for _ in range(4):
            await world.request("POST", f"{AUTH}/token/refresh/", json={"refresh_token": first})
        login = {"email": "ada@example.com", "password": PASSWORD, "session": "cookie"}
        await world.request("POST", f"{AUTH}/token/", json=login)
        await world.request("POST", f"{AUTH}/token/refresh/", headers={"Sec-Fetch-Site": "same-origin"}, json={})
        world.http.cookies.clear()
        await world.log_in(person)
        for current, new in (
            (WRONG_PASSWORD, NEW_PASSWORD),
            (PASSWORD, "canary-short"),
            (PASSWORD, person.tokens["access_token"]),
            (PASSWORD, NEW_PASSWORD),
        ):
            body = {"current_password": current, "new_password": new}
            await world.request("POST", f"{AUTH}/password/", person, json=body)
        await world.log_in(person, NEW_PASSWORD)

    async def _dead_key(self) -> dict[str, str]:
        made = await self.world.new_key(Person(self.world.admin.user, await access(self.world, self.world.admin)))
        headers = bearer(made["token"])
        await self.world.request("DELETE", f"{self.world.base}/api-keys/{made['id']}/", headers)
        return headers

    async def _operate(self, operation: Operation, headers: dict[str, str]) -> None:
        token = headers.get("Authorization", WRONG_PASSWORD).removeprefix("Bearer ")
        item = await new_item(self.world, operation.item)
        path = operation.path.format(company_id=self.world.company.id, key_id=item, dataset_id=item)
        misplaced = {"token": token, "access_token": token, "password": WRONG_PASSWORD}
        bad: dict[str, Any] = operation.content(operation.bad) if isinstance(operation.bad, dict) else {}
        await self.world.request(operation.method, path, headers, params=misplaced, **bad)
        await self.world.request(operation.method, path, headers, **operation.content(operation.body))

    async def _forgeries(self) -> None:
        world = self.world
        made = await world.new_key(Person(world.admin.user, await access(world, world.admin)))
        for payload in (
            (await access_claims(world, world.admin.user)).payload(),
            world.keyhouse.codec.decode(made["token"]).payload(),
        ):
            good = Good(world.keyhouse.codec.keys.signing, dict(payload), int(world.clock.wall()))
            for forge in {**OF_TEXT, **OF_HEADER, **of_claims(good)}.values():
                forged = forge(good)
                self.secrets.add("a forged token", forged)
                raw = [(b"authorization", b"Bearer " + forged.encode("utf-8", "replace"))]
                await world.http.get(f"{AUTH}/me/", headers=raw)
            for form in ("revoke", "introspect"):
                await world.request("POST", f"{AUTH}/{form}/", bearer(made["token"]), data={"token": forged})

    async def _misplaced(self) -> None:
        """Where no secret belongs, and where some client puts one."""
        await self.world.log_in(self.world.admin)
        for secret in (*(self.world.admin.tokens[n] for n in ("access_token", "refresh_token")), WRONG_PASSWORD):
            await self._in_paths(secret)
            await self._in_headers(secret)
            await self._in_bodies(secret)

    async def _in_paths(self, secret: str) -> None:
        base, choice = self.world.base, _choice(secret)
        for path in (f"/{secret}", f"/api/v1/{secret}", f"/api/v1/auth/verify/{secret}", f"{AUTH}/token/{secret}/"):
            await self.world.request("GET", path, self.world.admin)
        for path in (f"/api/v1/companies/{secret}/", f"{base}/{secret}/", f"{base}/datasets/{secret}/"):
            for method in ("GET", "DELETE", "HEAD", "PUT"):
                await self.world.request(method, path, self.world.admin)
        for name in ("limit", "cursor", "company_id", "company", "token", secret):
            for path in (f"{base}/api-keys/", f"{base}/audit-events/", f"{AUTH}/verify/", f"{AUTH}/token/"):
                await self.world.request(
                    "GET", path, self.world.admin, params={name: secret, "status": choice, "scope": choice}
                )

    async def _in_headers(self, secret: str) -> None:
        basic = base64.b64encode(f"admin@example.com:{secret}".encode()).decode()
        for headers in (
            {"Authorization": f"Basic {basic}"},
            {"Authorization": f"Token {secret}"},
            {"Authorization": secret},
            {"Authorization": f"Bearer {secret}, {secret}"},
            {"X-Request-ID": _choice(secret)},
            *({name: secret} for name in _HEADERS),
            {"tracestate": f"a={_choice(secret)}", "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"},
            {"baggage": f"a={secret}"},
            {"Cookie": f"__Host-keyhouse_refresh={secret}"},
            {"X-Forwarded-Uri": f"/api/v1/companies/{secret}/?token={secret}"},
        ):
            for path in (f"{AUTH}/me/", f"{AUTH}/verify/?company=uri", f"{AUTH}/token/refresh/"):
                method = "POST" if "refresh" in path else "GET"
                await self.world.request(method, path, headers=headers)
        # Where it would be kept: with the audit event of a change.
        me = await access(self.world, self.world.admin)
        await self.world.new_key(Person(self.world.admin.user, {**me, "X-Request-ID": _choice(secret)}))

    async def _in_bodies(self, secret: str) -> None:
        world, base, choice = self.world, self.world.base, _choice(secret)
        for path in (f"{AUTH}/token/", f"{AUTH}/token/refresh/", f"{base}/datasets/", f"{base}/api-keys/"):
            for body in (
                {choice: secret},
                {"email": secret, "password": [secret], "refresh_token": [secret], "name": [secret]},
                {"name": f"{secret}\x00", "expires_at": secret, "expires_in": secret, "scopes": [choice]},
                {"name": secret * 3, "description": {choice: secret}, "token": secret, "scopes": secret},
                [secret],
                secret,
            ):
                await world.request("POST", path, world.admin, json=body)
            for content in (f'{{"password": "{secret}', f'{{"a": "{secret}", "a": 1}}', f"{secret} " * 3000):
                headers = {"Content-Type": "application/json"}
                await world.request("POST", path, world.admin, content=content, headers=headers)
            await world.request("POST", path, world.admin, data={"password": secret})
            await world.request("POST", path, world.admin, content=json.dumps(secret), headers={"Content-Type": secret})


def _choice(secret: str) -> str:
    """What comes back as it was sent, or is kept: the name of a field, a bad choice or scope, the id of a request,
    the state of a trace. Of the secrets only a token can be told from what belongs there.
    """
    return secret if secret.startswith(("eyJ", "khr_")) else "a choice"


_HEADERS = (
    *("User-Agent", "Referer", "Cookie", "Origin", "Host", "Accept", "X-Api-Key", "Forwarded"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Original-URI", "Content-Type", "Content-Encoding", "If-Match"),
    *("traceparent", "Sec-Fetch-Site", "Proxy-Authorization"),
)
