"""The page for operators, and the rules for Prometheus, against the code: names, labels, events and numbers."""

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

import keyhouse
from keyhouse import logs
from keyhouse.db.engine import _POOL_SIZE, _SQLITE_POOL_SIZE
from keyhouse.directory.passwords import _QUEUED_PER_WORKER
from support.forgeries import OF_HEADER, Good
from support.world import World, bearer, settings_for, world_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "operations.md").read_text()
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
# Prometheus makes these itself.
_OF_PROMETHEUS = {"up": {"job", "instance"}}
_ADDED_BY_PROMETHEUS = {"instance", "job"}
_FUNCTIONS = {"sum", "max", "count", "rate", "increase", "vector", "histogram_quantile", "max_over_time"}
_WORDS = {"by", "and", "or", "unless", "offset", "instance", "route", "le"}


def table(heading: str) -> list[list[str]]:
    """The rows of the table under this heading of the page, without its head."""
    section = re.split(rf"^## {heading}$", PAGE, flags=re.MULTILINE)[1].partition("\n## ")[0]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return found[2:]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


async def exported(world: World) -> dict[str, Metric]:
    """What /metrics really has, after requests of every outcome that a rule asks for."""
    made = await world.new_key()
    await world.request("GET", f"{world.base}/datasets/", bearer(made["token"]))
    payload = world.keyhouse.codec.decode(made["token"]).payload()
    good = Good(world.keyhouse.codec.keys.signing, dict(payload), int(world.clock.wall()))
    expired = good.with_claims(exp=good.now - 1)
    for cause in ("kid unknown", "alg none with its signature", "crit a list"):
        await world.request("GET", f"{world.base}/datasets/", bearer(OF_HEADER[cause](good)))
    for token in (expired, f"{good.text[:-4]}AAAA", good.without_claim("iss")):
        await world.request("GET", f"{world.base}/datasets/", bearer(token))
    # The last two are throttled: both people of the world have logged in.
    for email in [*["admin@example.com"] * 3, *["nobody@example.com"] * 5]:
        await world.request("POST", "/api/v1/auth/token/", json={"email": email, "password": "not the one"})
    text = (await world.request("GET", "/metrics")).text
    return {metric.name: metric for metric in text_string_to_metric_families(text)}


@pytest.fixture
def metrics(sqlite_url: str) -> dict[str, Metric]:
    async def ask() -> dict[str, Metric]:
        async with world_of(settings_for(sqlite_url, login_rate="8/minute")) as world:
            return await exported(world)

    return asyncio.run(ask())


def samples(metrics: dict[str, Metric]) -> dict[str, list[dict[str, str]]]:
    """The names that a rule may use, with the labels of each of their series."""
    found: dict[str, list[dict[str, str]]] = {}
    for metric in metrics.values():
        for sample in metric.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def test_the_page_has_each_metric_with_its_type_and_labels(metrics: dict[str, Metric]) -> None:
    documented = {names(name)[0]: (kind, names(labels)) for name, kind, labels, _ in table("Metrics")}
    there = {}
    for metric in metrics.values():
        plain = [sample for sample in metric.samples if not sample.name.endswith("_created")]
        if not plain:
            continue
        labels = [label for label in plain[0].labels if label != "le"]
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        there[name] = (metric.type, labels)
    assert documented == there


def test_each_rule_is_whole_and_on_the_page() -> None:
    listed = [(names(name)[0], severity) for name, severity, _ in table("What to alert on")]
    assert listed == [(rule["alert"], rule["labels"]["severity"]) for rule in RULES]
    for rule in RULES:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["annotations"].keys() == {"summary", "meaning", "action"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_metric_and_label_of_a_rule_is_exported(rule: dict[str, Any], metrics: dict[str, Metric]) -> None:
    series = samples(metrics)
    expression = rule["expr"]
    assert re.sub(r"[^()\[\]{}]", "", re.sub(r'"[^"]*"', "", expression)).count("(") == expression.count(")")
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b\d+[smh]\b', " ", expression)
    used = {word for word in re.findall(r"[a-z_]+", bare) if word not in _FUNCTIONS | _WORDS}
    assert used
    for name in used - _OF_PROMETHEUS.keys():
        assert name in series, f"{name} is not exported"
        grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
        assert grouped <= series[name][0].keys() | _ADDED_BY_PROMETHEUS
        for selector in re.findall(rf"{name}\{{([^}}]*)\}}", expression):
            for label, how, value in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', selector):
                values = [labels[label] for labels in series[name]]
                # Of the labels only causes are made here one by one: a 5xx is no part of a good day.
                for part in value.split("|") if label == "cause" else []:
                    assert any(re.fullmatch(part, there) for there in values), (how, part, sorted(set(values)))


def test_numbers_of_the_rules_are_those_of_the_code() -> None:
    rules = {rule["alert"]: rule["expr"] for rule in RULES}
    assert rules["KeyhouseConnectionsExhausted"].endswith(f">= {_POOL_SIZE}")
    assert f"which has {_POOL_SIZE} (on SQLite {_SQLITE_POOL_SIZE}) |" in PAGE
    threshold = int(rules["KeyhousePasswordQueue"].rpartition(" ")[2])
    assert 1 < threshold < 1 + _QUEUED_PER_WORKER == 17


def logged() -> Iterator[tuple[str, str, set[str]]]:
    """Every event that the source logs, with its level and its fields."""
    # Written without its logger where it can be; tests/cli/test_logs.py compares the two.
    yield "request", "info", {"request_id", *logs.REQUEST_FIELDS, "ms"}
    for file in Path(keyhouse.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log"), attr=level),
                    args=[ast.Constant(value=str(event))],
                    keywords=keywords,
                ):
                    yield event, level, {keyword.arg or "" for keyword in keywords}


def test_the_page_has_each_event_of_the_log_with_its_fields() -> None:
    documented = {(names(event)[0], level, frozenset(names(fields))) for event, level, fields in table("Logs")}
    assert documented == {(event, level, frozenset(fields)) for event, level, fields in logged()}


async def test_the_page_has_each_attribute_of_a_span(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider, exporter = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    async with world_of(settings_for(sqlite_url)) as world:
        await world.request("GET", "/api/v1/auth/me/", world.admin)
        await world.request("GET", "/api/v1/auth/me/")
    spans: tuple[ReadableSpan, ...] = exporter.get_finished_spans()
    there = {name for span in spans for name in span.attributes or {}}
    documented = {name for row in table("Traces") for name in names(row[0])}
    # The test's transport has no port, and nothing went wrong.
    assert documented - there == {"server.port", "error.type"}
    assert there <= documented
