"""Alarms, dashboard and documentation name what a node really has: a name with a typing error never alarms."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.node.http_api import running_world

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "notarium-alerts.yaml"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "notarium.json").read_text(encoding="utf-8"))
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
OF_PROMETHEUS = {"up"}
"""Series that Prometheus makes itself."""
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
"""Of the series of a family, by its type; others have the family's name."""
WORDS = {
    "abs", "and", "by", "changes", "clamp_min", "event", "h", "histogram_quantile", "ignoring", "increase", "instance",
    "job", "le", "offset", "or", "predict_linear", "rate", "route", "status", "sum", "time",
}  # fmt: skip
"""What else stands in the expressions: functions, operators, labels."""


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    """What a running node answers, after some requests: so that each family has samples."""
    with running_world(tmp_path_factory.mktemp("monitored") / "network") as world:
        world.node.get("/v1/log")
        return list(text_string_to_metric_families(world.node.get("/metrics").body.decode()))


@pytest.fixture(scope="module")
def series(families):
    """The labels' values by name of a series, of those that have samples; and the names of those that have none yet."""
    known: dict[str, list[dict[str, str]]] = {}
    for family in families:
        for suffix in SUFFIXES.get(family.type, ("",)):
            known.setdefault(family.name + suffix, [])
        for sample in family.samples:
            known.setdefault(sample.name, []).append(sample.labels)
    return known


def alarms():
    return [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def queries():
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def selectors(expression):
    """Each series that an expression names, with the labels that it must equal."""
    found = []
    for name, inside in re.findall(r"\b([a-z_]+)(?:\{([^}]*)\})?", re.sub(r"\[[^]]*\]", "", expression)):
        if name not in WORDS:
            equal = dict(re.findall(r'([a-z]+)="([^"]*)"', inside))
            equal.pop("job", None)
            found.append((name, equal))
    return found


def check(expression, series):
    named = selectors(expression)
    assert named, expression
    for name, equal in named:
        if name in OF_PROMETHEUS:
            continue
        assert name in series, f"{name} is no metric of a node: {expression}"
        if equal:
            assert any(equal.items() <= labels.items() for labels in series[name]), f"{name}{equal}: {expression}"


@pytest.mark.parametrize("rule", alarms(), ids=lambda rule: rule["alert"])
def test_an_alarm_names_what_a_node_has(rule, series):
    check(rule["expr"], series)


@pytest.mark.parametrize("query", queries())
def test_the_dashboard_shows_what_a_node_has(query, series):
    check(query, series)


@pytest.mark.parametrize(
    "wrong",
    [
        "notarium_redy == 0",
        'increase(notarium_log_lines_lost_total{reason="unwriten"}[10m]) > 0',
        "notarium_height_total",
        "notarium_blocks_decided > 0",
        "notarium_store_write_seconds > 1",
    ],
)
def test_a_typing_error_would_be_found(wrong, series):
    with pytest.raises(AssertionError):
        check(wrong, series)


@pytest.mark.parametrize("rule", alarms(), ids=lambda rule: rule["alert"])
def test_an_alarm_says_what_to_do_and_where_to_read(rule):
    said = rule["annotations"]
    assert said.keys() == {"summary", "description", "section"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    page, _, anchor = said["section"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor in {re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings}
    for label in re.findall(r"\$labels\.(\w+)", said["summary"] + said["description"]):
        assert label in ("instance", "member", "role", "reason")


def test_the_table_of_alarms_is_that_of_the_rules():
    table = OPERATIONS.partition("### Alarms")[2].partition("### Metrics")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.MULTILINE)
    assert rows == [(rule["alert"], rule["labels"]["severity"]) for rule in alarms()]


def test_every_metric_of_a_node_is_documented_and_no_other(families):
    table = OPERATIONS.partition("### Metrics")[2].partition("### Log messages")[0]
    documented = {}
    for names, kind, labels in re.findall(r"^\| (`notarium[^|]*) \| (\w+) \| ([^|]*) ?\|", table, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            documented[name] = (kind, set(re.findall(r"`(\w+)`", labels)))
    present = {}
    for family in families:
        if family.name.startswith("notarium_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            present[name] = (family.type, {label for each in family.samples for label in each.labels} - {"le"})
    assert documented.keys() == present.keys()
    for name, (kind, labels) in present.items():
        # A node that has seen nothing of a kind yet has no sample, and so no labels.
        assert documented[name][0] == kind, name
        assert documented[name][1] == labels or not labels, name


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_reads_the_rules():
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
