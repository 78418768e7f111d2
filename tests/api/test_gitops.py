"""A LocalRegistry under GitOps: another field manager applies it for ever, and waits by kstatus."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from api.apiserver import REPOSITORY, ApiServer
from api.kstatus import Kstatus, compute
from api.lab import LREG, PATHS, PATIENCE, Lab, open_lab
from api.processes import wait_until

SAMPLES = sorted((REPOSITORY / "manifests/samples").glob("*.yaml"))
MANAGER = "kustomize-controller"
TIMES = 5

pytestmark = pytest.mark.lifecycle


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    yield from open_lab(api, namespace, node="node-a")


def manifest(name: str = "dev", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "localregistry.dev/v1alpha1",
        "kind": "LocalRegistry",
        "metadata": {"name": name, "labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}},
        "spec": {"host": f"{name}.example.internal", "storage": {"size": "20Gi"}, **spec},
    }


def apply(lab: Lab, body: dict[str, Any]) -> None:
    """As a GitOps controller does it: by server-side apply, without force."""
    how = ("--server-side", f"--field-manager={MANAGER}", "-n", lab.namespace)
    lab.api.kubectl("apply", *how, "-f", "-", input=body)


def difference(lab: Lab, body: dict[str, Any]) -> str:
    """What one more apply would change, by the API server's own dry run."""
    how = ("--server-side", f"--field-manager={MANAGER}", "-n", lab.namespace)
    done = lab.api.kubectl("diff", *how, "-f", "-", input=body, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def fields(body: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    """What each manager owns: (manager, subresource) → the two uppermost levels of fields."""
    owned: dict[tuple[str, str], set[str]] = {}
    for entry in body["metadata"]["managedFields"]:
        whose = (entry["manager"], entry.get("subresource", ""))
        tree = entry["fieldsV1"]
        paths = {
            f"{top[2:]}.{below[2:]}" if below.startswith("f:") else top[2:]
            for top, rest in tree.items()
            for below in (rest or {"": {}})
        }
        owned.setdefault(whose, set()).update(paths)
    return owned


@contextmanager
def watching(lab: Lab, name: str) -> Iterator[list[Kstatus]]:
    """Each kstatus that a reader meets, in order, without repetitions; some 50 looks a second."""
    seen: list[Kstatus] = []
    stop = threading.Event()
    where = f"{PATHS[LREG].format(namespace=lab.namespace)}/{name}"

    def look() -> None:
        while not stop.wait(0.02):
            code, body = lab.api.request("GET", where)
            if code == 200 and (found := compute(body)) not in seen[-1:]:
                seen.append(found)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(10)


def test_another_manager_applies_again_and_again_and_finds_no_difference(lab: Lab) -> None:
    apply(lab, manifest())
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready")
    lab.wait_quiet()
    before = lab.get(LREG, "dev")
    since = time.monotonic()
    for _ in range(TIMES):
        assert difference(lab, manifest()) == ""
        apply(lab, manifest())
    after = lab.get(LREG, "dev")
    assert after["metadata"]["generation"] == before["metadata"]["generation"] == 1
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert lab.writes(since) == [], "an apply that changes nothing makes no work"
    operators = {
        where: paths
        for (manager, where), paths in fields(after).items()
        if manager.startswith("localregistry")
    }
    assert operators[""] == {"metadata.finalizers"}
    assert {path.partition(".")[0] for path in operators["status"]} == {"status"}

    apply(lab, manifest(service={"type": "NodePort"}))
    wait_until(
        lambda: lab.get(LREG, "dev")["status"]["observedGeneration"] == 2,
        timeout=PATIENCE,
        what="the new spec to be seen",
    )
    lab.wait_quiet()
    changed = lab.get(LREG, "dev")
    assert changed["metadata"]["generation"] == 2, "one change of the spec, by its manager"
    assert changed["status"]["observedGeneration"] == 2
    assert difference(lab, manifest(service={"type": "NodePort"})) == ""
    apply(lab, manifest())
    assert lab.get(LREG, "dev")["spec"] == before["spec"], "a field that Git forgets is forgotten"


@pytest.mark.parametrize("way", ["--server-side=true", "--server-side=false"])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_no_sample_differs_from_what_the_api_server_made_of_it(
    api: ApiServer, namespace: str, sample: Any, way: str
) -> None:
    """Defaults and normal forms of values: what differs here differs for ever."""
    body = yaml.safe_load(sample.read_text())
    where = (way, "-n", namespace, "-f", "-")
    api.kubectl("apply", *where, input=body)
    done = api.kubectl("diff", *where, input=body, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_by_kstatus_it_is_current_only_when_the_nodes_have_pulled(lab: Lab) -> None:
    lab.nodes["node-a"].silent = True
    with watching(lab, "dev") as seen:
        apply(lab, manifest())
        lab.bring_up("dev")
        lab.wait_for("dev", "NodesReady", "NodesPending")
        time.sleep(1)
        assert set(seen) == {Kstatus.IN_PROGRESS}, seen
        lab.nodes["node-a"].silent = False
        lab.wait_for("dev", "Ready", "Ready")
        time.sleep(0.5)
        assert seen == [Kstatus.IN_PROGRESS, Kstatus.CURRENT]
        lab.delete(LREG, "dev", wait=False)
        time.sleep(0.5)
    assert seen[2:] in ([], [Kstatus.TERMINATING])


def test_what_nobody_has_looked_at_yet_is_not_current(api: ApiServer, namespace: str) -> None:
    """No operator runs here: a status that is absent would count as done."""
    api.kubectl("apply", "--server-side", "-n", namespace, "-f", "-", input=manifest())
    where = f"{PATHS[LREG].format(namespace=namespace)}/dev"
    assert compute(api.request("GET", where)[1]) is Kstatus.IN_PROGRESS


def test_a_change_of_the_spec_is_in_progress_until_it_is_seen(lab: Lab) -> None:
    apply(lab, manifest())
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready")
    assert lab.operator is not None
    lab.operator.process.stop()
    apply(lab, manifest(aliases=["other.example.internal"]))
    assert compute(lab.get(LREG, "dev")) is Kstatus.IN_PROGRESS
    lab.start_operator()
    # Ready it has been all the time.
    wait_until(
        lambda: compute(lab.get(LREG, "dev")) is Kstatus.CURRENT,
        timeout=PATIENCE,
        what="the change to be seen",
    )
