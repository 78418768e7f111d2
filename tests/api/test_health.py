"""The operator's probes tell the truth, and its metrics what the API server knows too."""

from __future__ import annotations

import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.apiserver import REPOSITORY, ApiServer
from api.lab import PATIENCE, Lab, open_lab
from api.operators import Operator
from api.processes import wait_until
from api.test_process import settle
from localregistry.controller.health import SILENT_SECONDS
from metric_table import documented, exposed, value


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    yield from open_lab(api, namespace)


@pytest.fixture(scope="module")
def probe() -> dict[str, Any]:
    """The liveness probe as it is installed."""
    documents = yaml.safe_load_all((REPOSITORY / "manifests/install.yaml").read_text())
    [deployment] = [d for d in documents if d["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container["livenessProbe"]
    return found


def ask(operator: Operator, path: str, timeout: float) -> tuple[int, str]:
    """The status and the text; 0 where no answer came in time."""
    url = f"http://127.0.0.1:{operator.health_port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


@pytest.mark.parametrize(
    ("number", "said", "at_most"),
    [
        (signal.SIGUSR1, "timed out", 1.0),
        (signal.SIGUSR2, "the watches have given no sign of life", SILENT_SECONDS + 2),
    ],
    ids=["of the main loop", "of the watches' loop"],
)
def test_a_blocked_event_loop_fails_liveness_within_a_minute(
    lab: Lab, probe: dict[str, Any], number: int, said: str, at_most: float
) -> None:
    operator = lab.start_operator()
    operator.process.stop()
    program = str(Path(__file__).with_name("blockable.py"))
    command = [str(part) for part in operator.process.command]
    start = command.index("-m")
    operator.process.command = [*command[:start], program, *command[start + 2 :]]
    operator.process.restart()
    settle(lab)
    limit = probe["timeoutSeconds"]
    assert ask(operator, probe["httpGet"]["path"], limit)[0] == 200
    blocked = time.monotonic()
    operator.process.signal(number)
    time.sleep(0.5)
    while (answer := ask(operator, probe["httpGet"]["path"], limit))[0] == 200:
        assert time.monotonic() - blocked < 60, "nobody noticed"
        time.sleep(0.5)
    waited = time.monotonic() - blocked - (limit if answer[0] == 0 else 0)
    assert said in answer[1]
    # The kubelet's first miss is at most one period later, and it wants some in a row.
    assert waited <= at_most + 1
    misses = probe["failureThreshold"] * probe["periodSeconds"] + probe["timeoutSeconds"]
    assert at_most + misses <= 60
    assert ask(operator, probe["httpGet"]["path"], limit)[0] != 200, "it stays so"
    operator.process.stop(kill=True)


def test_an_api_server_that_is_away_fails_no_liveness(lab: Lab, probe: dict[str, Any]) -> None:
    operator = lab.start_operator()
    settle(lab)
    server = lab.api.process("kube-apiserver")
    server.pause()
    try:
        # The leader gives up when its Lease runs out, and not because of a probe.
        answers = [200]
        paused = well = time.monotonic()
        while operator.process.alive:
            assert time.monotonic() < paused + 40, "it should have ended with its Lease"
            answers.append(ask(operator, "/healthz", 5)[0])
            if answers[-1] == 200:
                well = time.monotonic()
            time.sleep(0.5)
        ending = len(answers) - answers.index(0) if 0 in answers else 0
        assert answers == [200] * (len(answers) - ending) + [0] * ending
        # By the clock: on a busy machine fewer answers fit into it.
        assert well - paused > 10, "10 s at least"
        misses = probe["failureThreshold"] * probe["periodSeconds"]
        assert time.monotonic() - well < misses, "while it ended"
        # As the kubelet starts it again. There is nothing it could do, and that is no fault.
        operator.process.restart()
        wait_until(
            lambda: ask(operator, "/healthz", 5)[0] == 200, timeout=PATIENCE, what="/healthz"
        )
        until = time.monotonic() + SILENT_SECONDS + 5
        while time.monotonic() < until:
            assert ask(operator, "/healthz", 5) == (200, "ok")
            assert ask(operator, "/readyz", 5) == (503, "starting")
            time.sleep(1)
    finally:
        server.resume()
    wait_until(lambda: ask(operator, "/readyz", 5)[0] == 200, timeout=PATIENCE, what="/readyz")


def test_the_metrics_are_those_of_the_page_and_agree_with_the_audit_log(lab: Lab) -> None:
    since = time.monotonic()
    operator = lab.start_operator()
    settle(lab)
    lab.apply("twin", host="dev.example.internal")
    lab.wait_for("twin", "NodesReady", "HostConflict")
    # A request under way is in one of the two and not in the other.
    wait_until(lambda: not disagreeing(lab, operator, since), timeout=PATIENCE, what="agreement")
    text = ask(operator, "/metrics", 5)[1]
    assert exposed(text) == documented()
    assert value(text, "localregistry_leader") == 1
    assert value(text, "localregistry_nodes", state="ready") == 1
    assert value(text, "localregistry_nodes", state="failing") == 0
    assert value(text, "localregistry_trusted_hosts") == len(lab.trusted().registries[0].names)
    assert value(text, "localregistry_reconciles_total", subject="registry", result="success") > 3
    assert value(text, "localregistry_reconciles_total", subject="registry", result="defect") == 0


def disagreeing(lab: Lab, operator: Operator, since: float) -> list[str]:
    """The verbs of which /metrics and the audit log do not tell one number, and more than none."""
    text = ask(operator, "/metrics", 5)[1]
    counted: Counter[str] = Counter()
    for event in lab.requests(since):
        if event["userAgent"].startswith("localregistry-operator/"):
            counted[event["verb"]] += 1

    def found(verb: str) -> float:
        return sum(
            value(text, "localregistry_api_requests_total", verb=verb, code=code)
            for code in ("2xx", "4xx")
        )

    return [verb for verb in ("list", "patch") if not found(verb) == counted[verb] > 0]
