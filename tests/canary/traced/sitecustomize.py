"""Configures OpenTelemetry before a program begins, as `opentelemetry-instrument` does. LEAKY makes Keyhouse leak."""

import os
import sys
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

_SPANS = Path(os.environ["SPANS"]).open("a", buffering=1)  # noqa: SIM115 - until the process ends
_provider = TracerProvider()
_provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=_SPANS)))
trace.set_tracer_provider(_provider)


def _leak() -> None:
    from keyhouse.http.edge import Edge  # noqa: PLC0415 - not before there is a tracer

    close = Edge._close

    def leaky(self: Any, scope: Any, *rest: Any) -> None:
        written = str(scope["headers"])
        sys.stderr.write(written + "\n")
        trace.get_current_span().set_attribute("headers", written)
        self._metrics.request("GET", "", 200, written)
        close(self, scope, *rest)

    Edge._close = leaky  # type: ignore[method-assign]


if os.environ.get("LEAKY"):
    _leak()
