"""Wires the rooms: `install` puts Keyhouse on an application, `create_app` makes one with nothing else on it."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from keyhouse import datasets, ui
from keyhouse import settings as configuration
from keyhouse.audit import Origin
from keyhouse.clock import Clock, SystemClock
from keyhouse.credentials.sightings import Sightings
from keyhouse.credentials.sqlite_view import SqliteView
from keyhouse.credentials.view import View
from keyhouse.db import Database
from keyhouse.directory.passwords import PasswordHashing
from keyhouse.gate import Gate
from keyhouse.gate.startup import check_routes
from keyhouse.http import edge, openapi, traces
from keyhouse.http import envelope as envelopes
from keyhouse.http.bodies import Bodies
from keyhouse.http.clients import Clients
from keyhouse.http.cookies import RefreshCookie
from keyhouse.http.cors import Cors
from keyhouse.http.forward_auth import ForwardAuth, VerifyFirst
from keyhouse.http.metrics import Metrics
from keyhouse.http.paths import Paths, RouteTable, is_api, is_own
from keyhouse.http.routers import api_keys, auth, companies, docs, service, tokens
from keyhouse.http.shedding import ShedLogIns
from keyhouse.issuance.api_keys import ApiKeys
from keyhouse.issuance.introspection import Introspection
from keyhouse.issuance.login import LogIn
from keyhouse.issuance.sessions import Sessions
from keyhouse.issuance.throttle import Throttle
from keyhouse.revocation import Revocation, deaths
from keyhouse.scopes import Vocabulary
from keyhouse.settings import Settings
from keyhouse.tokens import Codec, KeyRing


@dataclass(frozen=True, slots=True)
class Keyhouse:
    """What an application that embeds Keyhouse may want of it."""

    settings: Settings
    database: Database
    view: View
    gate: Gate
    codec: Codec
    sightings: Sightings


def create_app(
    settings: Settings | None = None,
    *,
    routers: Iterable[APIRouter] = (),
    scopes: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    secure_cookies: bool = True,
) -> FastAPI:
    """The reference server, with the sample resource and whatever routers are given.

    `settings` are read from the environment when not given; `scopes` are the resource scopes of the routers, each
    with its description. `secure_cookies` is false only for development over HTTP: the cookie of the page's session
    then lacks `Secure`. Raises `ConfigurationError` for settings, and at start-up for a route that the guard could not
    protect.
    """
    settings = settings or configuration.load()
    app = FastAPI(
        title="Keyhouse",
        summary="Short-living tokens, long-living API keys, and revocation that is a promise.",
        openapi_url="/openapi.json" if settings.docs else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=traces.INSTEAD,
    )
    # First: the framework tries one router after the other, and these are the ones that are asked all day.
    for router in routers:
        app.include_router(router)
    keyhouse = _install(
        app,
        settings,
        scopes={**datasets.SCOPES, **(scopes or {})},
        envelope=True,
        clock=clock,
        secure_cookies=secure_cookies,
        spans=True,
    )
    app.include_router(datasets.router(keyhouse.database))
    if settings.docs:
        app.include_router(docs.router())
    app.include_router(ui.router())
    return app


def install(
    app: FastAPI,
    settings: Settings,
    *,
    scopes: Mapping[str, str] | None = None,
    envelope: bool = False,
    clock: Clock | None = None,
    secure_cookies: bool = True,
) -> Keyhouse:
    """Adds Keyhouse's routes and lifespan to an application.

    With `envelope`, the conventions of `/api/` and the error envelope hold for all of its routes there. Raises
    RuntimeError when it is called twice, or after the application has started.
    """
    return _install(
        app, settings, scopes=scopes, envelope=envelope, clock=clock, secure_cookies=secure_cookies, spans=False
    )


def _install(
    app: FastAPI,
    settings: Settings,
    *,
    scopes: Mapping[str, str] | None,
    envelope: bool,
    clock: Clock | None,
    secure_cookies: bool,
    spans: bool,
) -> Keyhouse:
    """With `spans` its requests are traced by Keyhouse; else that is up to the host."""
    if app.middleware_stack is not None:
        raise RuntimeError("keyhouse.install comes too late: call it before the application starts")
    if hasattr(app.state, "keyhouse"):
        raise RuntimeError("keyhouse.install was called already on this application: once is enough")
    clock = clock or SystemClock()
    vocabulary = Vocabulary(scopes or {})
    keys = KeyRing.from_settings(settings)
    codec = Codec(keys, settings.issuer, settings.audience)
    database = Database(settings.database_url.get_secret_value(), clock)
    view = open_view(database, clock)
    sightings = Sightings(database)
    hashing = PasswordHashing(clock=clock)
    metrics = Metrics(database, view, hashing)
    revocation = Revocation(database, clock, waited=metrics.revocation_waited)
    clients = Clients(settings.trusted_proxies)
    verify = ForwardAuth(clients)

    async def first_use(key_id: str, origin: Origin) -> None:
        await revocation.die(deaths.retirement(key_id, origin))

    gate = Gate(codec, view, vocabulary, sightings, first_use, revocation.settle)
    sessions = Sessions(database, codec, settings, vocabulary, revocation)
    throttle = Throttle(settings.login_rate, settings.rate_limit_storage.get_secret_value())
    log_in = LogIn(database, hashing, sessions, throttle, sightings, revocation)
    introspection = Introspection(codec, view, vocabulary, revocation, throttle)
    keys_of_companies = ApiKeys(database, codec, vocabulary, revocation, settings.api_key_max_ttl)

    for router in (
        api_keys.router(keys_of_companies, vocabulary, settings),
        companies.router(database),
        auth.router(database, log_in, sessions, vocabulary, RefreshCookie(secure=secure_cookies)),
        tokens.router(introspection, verify),
        service.router(database, view, keys, metrics),
    ):
        app.include_router(router)
    keyhouse = Keyhouse(settings, database, view, gate, codec, sightings)
    app.state.keyhouse = keyhouse
    app.add_middleware(
        edge.Edge,
        gate=gate,
        clients=clients,
        metrics=metrics,
        applies=(lambda _: True) if envelope else is_own,
        conventions=_conventions(app, settings, verify, hashing, is_api if envelope else is_own),
    )
    app.add_middleware(traces.Spans, own=spans)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        check_routes(app, vocabulary)
        await view.open()
        sightings.open()
        metrics.open()
        try:
            yield
        finally:
            await metrics.close()
            await sightings.close()
            await view.close()
            hashing.close()
            await database.close()

    _extend_lifespan(app, lifespan)
    return keyhouse


def open_view(database: Database, clock: Clock) -> View:
    """How a worker follows the change log of this database."""
    if database.kind == "sqlite":
        return SqliteView(database.path, clock)
    # The driver is an extra of the package.
    from keyhouse.credentials.postgresql_view import PostgresqlView  # noqa: PLC0415

    return PostgresqlView(database.libpq_url, clock)


def entrance(app: FastAPI) -> ASGIApp:
    """What a server is handed instead of the application: the same from Keyhouse's own outermost layer on.

    The framework's layers around it answer what no layer of ours leaves unanswered, and cost a tenth of a request. An
    application with other layers outside, or whose traces are not Keyhouse's, is answered as it is.
    """
    if app.middleware_stack is None:
        app.middleware_stack = app.build_middleware_stack()
    layer: Any = app.middleware_stack
    while type(layer).__module__.startswith(("starlette.", "fastapi.")) and hasattr(layer, "app"):
        layer = layer.app
    if not isinstance(layer, traces.Spans) or not layer.own:
        return app

    async def enter(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            # Where the framework sets a tracer up.
            await app(scope, receive, send)
            return
        scope["app"] = app
        await layer.enter(scope, receive, send)

    return enter


def _conventions(
    app: FastAPI,
    settings: Settings,
    verify: ForwardAuth,
    hashing: PasswordHashing,
    applies: Callable[[str], bool],
) -> Callable[[ASGIApp], ASGIApp]:
    """The conventions of `/api/` on the paths to which they apply, as the layers to put around the routes."""
    routes = RouteTable(app)
    envelopes.install(app, routes, edge.note, applies)
    openapi.install(app, applies)

    def around(host: ASGIApp) -> ASGIApp:
        bodies = Bodies(host, routes=routes, max_bytes=settings.max_body_bytes, forms=tokens.FORMS, applies=applies)
        layers: ASGIApp = VerifyFirst(ShedLogIns(Paths(bodies, applies=applies), hashing=hashing), verify=verify)
        if settings.cors_origins:
            layers = Cors(edge.Failures(layers, applies=applies), origins=settings.cors_origins)
        return layers

    return around


def _extend_lifespan(app: FastAPI, added: Callable[[FastAPI], Any]) -> None:
    """Keyhouse opens before the application's own lifespan and closes after it."""
    own = app.router.lifespan_context

    @asynccontextmanager
    async def both(host: FastAPI) -> AsyncIterator[Any]:
        async with added(host), own(host) as state:
            yield state

    app.router.lifespan_context = both
