"""The files in `examples/deploy` name metrics, labels, options and times that exist."""

import inspect
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from chatcompat.cli.serve import serve
from chatcompat.prometheus import PrometheusMetrics

FOLDER = Path(__file__).parent.parent.parent / "examples" / "deploy"
DASHBOARD: Any = json.loads((FOLDER / "grafana" / "chatcompat.json").read_text(encoding="utf-8"))
ALERTS: Any = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
PANELS = [(panel["title"], target) for panel in DASHBOARD["panels"] for target in panel["targets"]]
QUERIES = {f"{title}: {target['refId']}": target["expr"] for title, target in PANELS}
QUERIES |= {rule["alert"]: rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]}
COMPOSE: Any = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
DEPLOYMENT: Any = next(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")))
UNIT = (FOLDER / "chatcompat.service").read_text(encoding="utf-8")
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
OPTIONS = {name.replace("_", "-") for name in inspect.signature(serve).parameters}


@pytest.fixture(scope="module")
def metrics() -> dict[str, set[str]]:
    """The name of each series, and its labels."""
    registry = CollectorRegistry()
    made = PrometheusMetrics(registry=registry)
    labels: dict[str, set[str]] = {"up": {"job", "instance"}}
    for metric in vars(made).values():
        if isinstance(metric, MetricWrapperBase):
            names = set(metric._labelnames)
            suffixes = ("_bucket", "_count", "_sum") if metric._type == "histogram" else ("_total",)
            labels |= {metric._name + suffix: names | {"le"} for suffix in suffixes}
    return labels


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_each_query_names_series_and_labels_that_exist(query: str, metrics: dict[str, set[str]]) -> None:
    series = re.findall(r"\b(chatcompat_\w+|up)\b(?:\{([^}]*)\})?", query)
    assert series
    for name, matchers in series:
        assert name in metrics
        assert set(re.findall(r"(\w+)(?:=~|!=|!~|=)", matchers)) <= metrics[name]
    grouped = {label for labels in re.findall(r"by \(([^)]*)\)", query) for label in labels.split(", ")}
    assert grouped <= set().union(*(metrics[name] for name, _ in series))


def test_the_dashboard_reads_the_model_from_a_label_that_exists(metrics: dict[str, set[str]]) -> None:
    model = DASHBOARD["templating"]["list"][1]
    found = re.fullmatch(r"label_values\((\w+), (\w+)\)", model["query"])
    assert found
    assert found[2] in metrics[found[1]]


@pytest.mark.parametrize(("what", "file"), [("rules", "alerts.yml"), ("config", "prometheus.yml")])
def test_prometheus_takes_the_files(what: str, file: str) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool, of Debian's package prometheus")
    checked = subprocess.run(
        ["promtool", "check", what, file], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def options_of(text: str) -> set[str]:
    """The options of `chatcompat serve` in a file: arguments, and variables of the environment."""
    found = {name.lower().replace("_", "-") for name in re.findall(r"CHATCOMPAT_(\w+)", text)}
    return found | set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", text))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(COMPOSE["services"]["chatcompat"]["environment"]),
        json.dumps(DEPLOYMENT["spec"]["template"]["spec"]["containers"]),
        re.sub(r"^(?!Environment=|ExecStart=).*$", "", UNIT, flags=re.MULTILINE),
        " ".join(re.findall(r"CHATCOMPAT_\w+", DOCKERFILE)),
    ],
    ids=["compose", "kubernetes", "systemd", "docker"],
)
def test_each_option_that_is_given_exists(text: str) -> None:
    assert options_of(text)
    assert options_of(text) <= OPTIONS


def test_what_stops_the_process_waits_longer_than_its_streams() -> None:
    environment = COMPOSE["services"]["chatcompat"]["environment"]
    assert int(COMPOSE["services"]["chatcompat"]["stop_grace_period"].rstrip("s")) > int(
        environment["CHATCOMPAT_SHUTDOWN_TIMEOUT"]
    )
    spec = DEPLOYMENT["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    shutdown = int(container["args"][container["args"].index("--shutdown-timeout") + 1])
    assert spec["terminationGracePeriodSeconds"] > shutdown + pause
    stop, drain = re.search(r"TimeoutStopSec=(\d+)", UNIT), re.search(r"--shutdown-timeout (\d+)", UNIT)
    assert stop
    assert drain
    assert int(stop[1]) > int(drain[1])


def test_the_image_runs_as_its_own_user_and_is_checked() -> None:
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER (?!0|root)", last, re.MULTILINE)
    assert "/healthz" in last
    assert re.search(r"^ENTRYPOINT \[.*\]$", last, re.MULTILINE)
    (container,) = DEPLOYMENT["spec"]["template"]["spec"]["containers"]
    assert {container[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe")} == {"/healthz"}


def test_compose_takes_its_file() -> None:
    if shutil.which("docker-compose") is None:
        pytest.skip("needs docker-compose")
    command = ["docker-compose", "-f", "compose.yaml", "config", "--quiet"]
    checked = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stderr
