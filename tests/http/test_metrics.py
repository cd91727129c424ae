"""Requests and verdicts are counted beside the library, and taken over into it."""

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import generate_latest

from keyhouse.http.metrics import Metrics

_ASKED = 'keyhouse_requests_total{method="GET",route="/datasets/",status="200"}'


@pytest.fixture
def metrics() -> Metrics:
    nothing: Any = SimpleNamespace(hits=0, misses=0, staleness=lambda: 0.0, cache=(), pending=0)
    nothing.connections_in_use = lambda: 0
    return Metrics(nothing, nothing, nothing)


def exported(metrics: Metrics) -> str:
    return generate_latest(metrics._registry).decode()


def test_each_is_counted_once_however_often_it_is_taken_over(metrics: Metrics) -> None:
    for _ in range(3):
        metrics.request("GET", "/datasets/", 200, "accepted")
        metrics.request("GET", "/datasets/", 200, None)
        metrics.refresh()
    text = metrics.text().decode()
    assert f"{_ASKED} 6.0" in text
    assert 'keyhouse_verdicts_total{cause="accepted"} 3.0' in text


async def test_what_came_after_the_last_time_is_taken_over_at_the_end(metrics: Metrics) -> None:
    metrics.open()
    metrics.request("GET", "/datasets/", 200, None)
    await metrics.close()
    assert f"{_ASKED} 1.0" in exported(metrics)


@pytest.mark.parametrize("method", ["BREW", "get", "\u2028"])
def test_a_method_that_somebody_made_up_is_no_label(metrics: Metrics, method: str) -> None:
    metrics.request(method, "/datasets/", 405, None)
    assert 'method="other"' in metrics.text().decode()
