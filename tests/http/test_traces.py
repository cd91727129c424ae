"""OpenTelemetry: a span for each request, with its verdict and without a word that a client wrote."""

import asyncio
import json
import logging
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import fastapi.telemetry._runtime
import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI
from fastapi.responses import StreamingResponse
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from keyhouse import create_app, install, logs
from keyhouse.app import entrance
from support.callers import key
from support.envelope import INVALID_TOKEN
from support.world import World, settings_for, world_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Traces:
    """What was exported, once each."""

    def __init__(self) -> None:
        self.provider = TracerProvider(shutdown_on_exit=False)
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def taken(self) -> list[ReadableSpan]:
        spans = list(self._exporter.get_finished_spans())
        self._exporter.clear()
        return spans

    def server_span(self) -> ReadableSpan:
        """The only one of its kind."""
        (found,) = [span for span in self.taken() if span.kind is SpanKind.SERVER]
        return found


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Traces:
    """A provider, as the environment or an embedding application configures one; here for one test."""
    made = Traces()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made.provider)
    return made


def troubles() -> APIRouter:
    router = APIRouter(prefix="/api/v1/troubles")

    @router.get("/crash/")
    async def crash() -> None:
        raise RuntimeError("khr_secret")

    @router.get("/torn/")
    async def torn() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"x"
            raise RuntimeError("khr_secret")

        return StreamingResponse(parts())

    return router


@pytest.fixture
async def traced(traces: Traces, sqlite_url: str) -> AsyncIterator[World]:
    """A running application whose requests are traced."""
    async with world_of(settings_for(sqlite_url), routers=[troubles()]) as made:
        traces.taken()
        yield made


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_request_is_a_span_with_its_route_and_verdict(traced: World, traces: Traces) -> None:
    headers = await key(traced, traced.admin)
    me = (await traced.request("GET", "/api/v1/auth/me/", headers)).json()
    traces.taken()
    answer = await traced.request("GET", f"{traced.base}/datasets/", headers, params={"limit": "1"})
    (span,) = traces.taken()
    assert (span.name, span.kind) == ("GET /api/v1/companies/{company_id}/datasets/", SpanKind.SERVER)
    assert span.status.status_code is StatusCode.UNSET
    assert told(span) == {
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "keyhouse.test",
        "http.request.method": "GET",
        "http.route": "/api/v1/companies/{company_id}/datasets/",
        "http.response.status_code": 200,
        "keyhouse.request_id": answer.headers["x-request-id"],
        "keyhouse.principal": traced.admin.user.id,
        "keyhouse.credential": me["credential"]["id"],
    }
    assert span.events == ()


@pytest.mark.parametrize(
    ("method", "path", "name", "status", "cause"),
    [
        ("GET", "/api/v1/auth/me/", "GET /api/v1/auth/me/", 401, "grammar"),
        ("HEAD", "/api/v1/auth/me/", "HEAD /api/v1/auth/me/", 401, "grammar"),
        ("GET", "/api/v1/khr_path/", "GET", 404, "not_found"),
        ("GET", "/khr_path", "GET", 404, None),
        ("KHR_METHOD", "/api/v1/auth/me/", "HTTP", 405, "method_not_allowed"),
    ],
)
async def test_a_refusal_tells_its_cause_and_no_path(
    traced: World, traces: Traces, method: str, path: str, name: str, status: int, cause: str | None
) -> None:
    answer = await traced.request(method, path, {"Authorization": "Bearer ="})
    assert answer.status_code == status
    span = traces.server_span()
    assert span.name == name or span.name == f"{name} {told(span).get('http.route')}"
    assert told(span).get("keyhouse.cause") == cause
    assert told(span)["http.response.status_code"] == status
    assert span.status.status_code is StatusCode.UNSET
    assert "khr_" not in span.to_json().lower()


@pytest.mark.parametrize(("path", "error"), [("crash", "500"), ("torn", "RuntimeError")])
async def test_a_failure_is_an_error_without_its_text(traced: World, traces: Traces, path: str, error: str) -> None:
    await traced.request("GET", f"/api/v1/troubles/{path}/")
    span = traces.server_span()
    assert span.status.status_code is StatusCode.ERROR
    assert told(span)["error.type"] == error
    assert span.events == ()
    assert "khr_secret" not in span.to_json()


async def test_what_a_client_wrote_is_in_no_span(traced: World, traces: Traces) -> None:
    token = traced.admin.tokens["refresh_token"]
    headers = {
        "Host": token,
        "User-Agent": token,
        "Cookie": f"a={token}",
        "X-Request-ID": token,
        "X-Forwarded-For": token,
        "traceparent": f"00-{TRACE}-{PARENT}-01",
        "tracestate": f"a={token}",
        "baggage": f"a={token}",
    }
    for path in ("/api/v1/auth/me/", f"/api/v1/{token}/", f"/{token}", f"{traced.base}/datasets/{token}/"):
        await traced.request("GET", f"{path}?token={token}&{token}", headers=headers)
    spans = traces.taken()
    assert len(spans) == 4
    for span in spans:
        assert token not in span.to_json()
        assert token not in repr(span.context)


async def test_a_span_continues_the_callers_trace(traced: World, traces: Traces) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
    await traced.request("GET", "/api/v1/auth/me/", headers=headers)
    span = traces.server_span()
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:x}", f"{span.parent.span_id:x}") == (TRACE.lstrip("0"), PARENT)
    assert span.context.trace_state.to_header() == "vendor=1"
    for wrong in ("", "00-x", f"00-{'0' * 32}-{PARENT}-01"):
        await traced.request("GET", "/api/v1/auth/me/", headers={"traceparent": wrong})
        assert traces.server_span().parent is None


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Lines of JSON, as a server logs them from the first call on."""
    for hooked, name in ((sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(hooked, name, getattr(hooked, name))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    async def read() -> list[Any]:
        # What was told in this turn of the loop is written at its end.
        await asyncio.sleep(0)
        # Its standard error is another one in the test than before it.
        logs.configure("json")
        structlog.configure(cache_logger_on_first_use=False)
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    yield read
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_the_log_line_names_the_span(logged: Any, traced: World, traces: Traces) -> None:
    await logged()
    await traced.request("GET", "/api/v1/troubles/crash/")
    span = traces.server_span()
    assert span.context is not None
    named = {"trace_id": f"{span.context.trace_id:032x}", "span_id": f"{span.context.span_id:016x}"}
    lines = await logged()
    assert [line["event"] for line in lines] == ["request.failed", "request"]
    assert all(named.items() <= line.items() for line in lines)


async def test_without_a_span_the_log_line_names_none(logged: Any, world: World) -> None:
    await logged()
    await world.request("GET", "/api/v1/auth/me/")
    (line,) = await logged()
    assert line["event"] == "request"
    assert not {"trace_id", "span_id"} & line.keys()


async def test_without_the_sdk_nothing_is_asked(traced: World, traces: Traces, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("asked")

    monkeypatch.delitem(sys.modules, logs.TRACING)
    monkeypatch.setattr(propagate, "extract", forbidden)
    monkeypatch.setattr(trace, "get_current_span", forbidden)
    # The framework asks for itself; a server is handed the application without that.
    served = entrance(traced.app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://keyhouse.test") as http:
        answer = await http.get("/api/v1/auth/me/", headers=traced.admin.headers)
    assert answer.status_code == 200
    assert traces.taken() == []


async def test_the_sdk_without_a_provider_changes_nothing(world: World) -> None:
    assert logs.TRACING in sys.modules
    assert (await world.request("GET", "/api/v1/auth/me/", world.admin)).status_code == 200
    assert (await world.request("GET", "/api/v1/auth/me/")).status_code == 401


def instrumented(app: FastAPI, provider: TracerProvider) -> None:
    """As opentelemetry-instrumentation-fastapi does it."""
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: OpenTelemetryMiddleware(  # type: ignore[method-assign]
        build(),
        tracer_provider=provider,
        default_span_details=lambda scope: (scope["method"], {}),
        exclude_spans=["send", "receive"],
    )


@pytest.mark.parametrize("stability", ["http", "http/dup", ""])
async def test_an_instrumentation_around_keeps_the_only_span(
    traces: Traces, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, stability: str
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", stability)
    monkeypatch.setattr(
        "opentelemetry.instrumentation._semconv._OpenTelemetrySemanticConventionStability._initialized", False
    )
    async with world_of(settings_for(sqlite_url)) as made:
        made.app.middleware_stack = None
        instrumented(made.app, traces.provider)
        traces.taken()
        token = made.admin.tokens["refresh_token"]
        headers = {"Host": token, "User-Agent": token}
        await made.request("GET", f"{made.base}/datasets/?token={token}", made.admin, headers=headers)
        (span,) = traces.taken()
        assert span.name == "GET /api/v1/companies/{company_id}/datasets/"
        assert told(span)["keyhouse.principal"] == made.admin.user.id
        assert token not in span.to_json()
        assert entrance(made.app) is made.app
        await made.request("GET", f"/{token}?{token}", headers=headers)
        (span,) = traces.taken()
        assert span.name == "GET"
        assert told(span)["keyhouse.request_id"]
        assert token not in span.to_json()
        await made.request(token, f"{made.base}/datasets/", headers=headers)
        (span,) = traces.taken()
        assert span.name == "HTTP /api/v1/companies/{company_id}/datasets/"


async def test_a_layer_of_others_takes_the_outermost_for_asgi_3(traces: Traces, sqlite_url: str) -> None:
    """It looks whether that is called like a coroutine, and else calls it as in ASGI 2."""
    settings = settings_for(sqlite_url)
    host = FastAPI()
    install(host, settings)
    for app in (create_app(settings), host):
        app.add_middleware(OpenTelemetryMiddleware, tracer_provider=traces.provider)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://keyhouse.test") as http,
        ):
            assert (await http.get("/api/v1/auth/me/")).status_code == 401


@pytest.mark.parametrize("telemetry", ["native", "instrumented", "off"])
async def test_a_hosts_telemetry_stays_the_hosts(traces: Traces, sqlite_url: str, telemetry: str) -> None:
    app = FastAPI(telemetry={"tracing": telemetry == "native", "metrics": False, "logs": False})

    @app.get("/own")
    async def own() -> dict[str, str]:
        return {}

    install(app, settings_for(sqlite_url))
    if telemetry == "instrumented":
        instrumented(app, traces.provider)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://host.test") as http:
            headers = {"Authorization": "Bearer =", "X-Request-ID": "mine"}
            refused = await http.get("/api/v1/auth/me/?a=b", headers=headers)
            assert refused.json() == json.loads(INVALID_TOKEN)
            spans = [span for span in traces.taken() if span.kind is SpanKind.SERVER]
            if telemetry == "off":
                assert spans == []
                return
            (span,) = spans
            assert told(span)["keyhouse.cause"] == "grammar"
            assert told(span)["keyhouse.request_id"] == "mine"
            assert "a=b" in span.to_json()
            await http.get("/own?a=b", headers=headers)
            (span,) = [span for span in traces.taken() if span.kind is SpanKind.SERVER]
            assert told(span)["keyhouse.request_id"] == "mine"
            assert "keyhouse.cause" not in told(span)
            assert "a=b" in span.to_json()
    assert entrance(app) is app


def test_a_server_is_handed_the_shortcut_though_the_sdk_is_there(sqlite_url: str) -> None:
    app = create_app(settings_for(sqlite_url))
    assert entrance(app) is not app


async def test_a_tracer_that_the_environment_asks_for_is_set_up(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the framework, before the application's own start."""
    asked = []
    monkeypatch.setattr(fastapi.telemetry._runtime, "_configure_from_environment", asked.append)
    served = entrance(create_app(settings_for(sqlite_url)))
    received = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))
    sent: list[str] = []

    async def receive() -> Any:
        return next(received)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await served({"type": "lifespan", "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    (config,) = asked
    assert (config["tracing"], config["logs"], config["metrics"]) == (True, False, False)
