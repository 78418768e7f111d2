"""The API server, the Lease, a right, the CRD or the right time is taken away for a while."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from api.lab import LREG
from api.operators import Operator
from api.processes import wait_until
from api.standin import SYSTEM
from faults.proxy import Fault
from faults.scenarios import SCENARIOS, START, Scenario
from faults.world import NAME, QUIET_SECONDS, Outcome, World
from kind import debian, progress

CREATE, HOST, DELETE = (
    next(s for s in SCENARIOS if s.name == name) for name in ("create", "another host", "delete")
)
LEASES = "/apis/coordination.k8s.io/"
LEASE = "localregistry-operator"
BACK_SECONDS = 30.0


def check(world: World, scenario: Scenario, outcome: Outcome) -> None:
    """As an undisturbed run."""
    expected = world.run(scenario)
    assert outcome.state == expected.state
    assert (outcome.effects, outcome.told) == (expected.effects, expected.told)


@contextmanager
def away(world: World, how: str | Fault, prefix: str, seconds: float) -> Iterator[None]:
    """`how`: `refused`, `hung`, or what all requests are answered. An operator that ends meanwhile
    is started anew, as by the kubelet."""
    which = "answering" if isinstance(how, Fault) else how
    setattr(world.proxy, which, how if isinstance(how, Fault) else prefix)
    if prefix == "/":
        world.proxy.cut_watches()
    try:
        yield
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            world.revive()
            time.sleep(0.5)
    finally:
        setattr(world.proxy, which, None)


@pytest.mark.parametrize(
    "how", ["refused", "hung", Fault.BROKEN, Fault.AWAY], ids=lambda how: getattr(how, "name", how)
)
@pytest.mark.parametrize(
    "seconds", [5.0, pytest.param(60.0, marks=pytest.mark.long)], ids=lambda s: f"{s:.0f} s"
)
@pytest.mark.parametrize("scenario", [CREATE, HOST, DELETE], ids=lambda scenario: scenario.name)
def test_an_api_server_that_is_away_is_waited_for(
    world: World, scenario: Scenario, seconds: float, how: str | Fault
) -> None:
    world.reset(first=False)
    starts = world.starts
    outcome = world.run(scenario, disturbed=away(world, how, "/", seconds))
    # The work goes on for 13 s after the last renewal: that may be 2 s old when the short one
    # begins, and the next may come 4 s after its end. Of the long one the operator ends once.
    assert world.starts - starts == (0 if seconds < 13 else 1)
    assert outcome.seconds - seconds - QUIET_SECONDS < BACK_SECONDS
    time.sleep(5)
    # An apply that changes nothing is a look.
    late = [f"{write.method} {write.path}" for write in world.proxy.writes if write.changed]
    assert late == [], "written after all was well"
    check(world, scenario, outcome)


def holder(world: World) -> tuple[str, str]:
    spec = world.lab.get("lease", LEASE, SYSTEM)["spec"]
    return str(spec.get("holderIdentity") or ""), str(spec.get("acquireTime") or "")


@contextmanager
def second(world: World) -> Iterator[Operator]:
    operator = Operator.start(world.lab, name="second", kubeconfig=world.direct)
    try:
        wait_until(lambda: operator.health("/readyz") == 200, timeout=30, what="the second one")
        yield operator
    finally:
        operator.process.stop()


@pytest.mark.parametrize("how", ["refused", "hung"])
def test_who_cannot_renew_its_lease_stops_before_another_one_leads(world: World, how: str) -> None:
    world.reset(first=False)
    with second(world):

        @contextmanager
        def lost() -> Iterator[None]:
            with away(world, how, LEASES, 0):
                yield
                wait_until(
                    lambda: holder(world)[0] == "second", timeout=40, what="the second to lead"
                )
                taken = time.monotonic()
                time.sleep(3)
                late = [write.path for write in world.proxy.writes if write.at > taken]
                assert late == [], "two led at once"

        outcome = world.run(HOST, disturbed=lost())
    world.settle(HOST.settled)
    check(world, HOST, outcome)


def test_of_two_operators_one_acts(world: World) -> None:
    world.reset(first=False)
    world.stop_operator()
    with second(world) as operator:
        wait_until(lambda: holder(world)[0] == "second", timeout=40, what="the second to lead")
        outcome = world.run(CREATE)
        assert outcome.writes == 0, "the standby wrote"
        assert "Created" in operator.log
    # The second one does not go through the proxy, which so has seen none of what it did.
    assert outcome.state == world.run(CREATE).state


def test_a_crd_that_went_and_came_back_loses_no_images(world: World) -> None:
    api = world.lab.api
    world.run(CREATE)
    claim = world.lab.get("pvc", f"{NAME}-registry")["metadata"]["uid"]
    api.kubectl("delete", "crd", LREG, "--timeout=60s", timeout=90)
    try:
        assert world.lab.get("pvc", f"{NAME}-registry")["metadata"]["uid"] == claim
        assert not world.lab.trusted().registries
    finally:
        api.apply_crd()
    with suppress(AssertionError):
        world.delete()
    for child in ("configmap", "deployment", "service", "ingress"):
        api.kubectl("delete", child, f"{NAME}-registry", "-n", world.lab.namespace)
    world.apply(START)
    world.settle(CREATE.settled)
    assert world.lab.get("pvc", f"{NAME}-registry")["metadata"]["uid"] == claim


@contextmanager
def without_right(world: World, resource: str) -> Iterator[None]:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/localregistry"
    code, role = world.lab.api.request("GET", path)
    assert code == 200, role

    def put(rules: object) -> None:
        patch = {"rules": rules}
        kind = "application/merge-patch+json"
        code, answer = world.lab.api.request("PATCH", path, patch, content_type=kind)
        assert code == 200, answer

    try:
        put(
            [
                {**r, "resources": [x for x in r["resources"] if x != resource] or ["none"]}
                for r in role["rules"]
            ]
        )
        yield
    finally:
        put(role["rules"])


@pytest.mark.parametrize(
    ("resource", "which", "well"),
    [
        ("ingresses", "Exposed", ("StorageReady", "RegistryAvailable", "NodesReady")),
        ("deployments", "RegistryAvailable", ("StorageReady",)),
        ("services", "RegistryAvailable", ("StorageReady",)),
        ("persistentvolumeclaims", "StorageReady", ()),
    ],
)
def test_a_right_that_is_taken_away_is_named_and_missed_until_it_is_back(
    world: World, resource: str, which: str, well: tuple[str, ...]
) -> None:
    world.reset(first=False)

    @contextmanager
    def missing() -> Iterator[None]:
        with without_right(world, resource):
            yield
            condition = world.lab.wait_for(NAME, which, "Forbidden", timeout=30)
            assert resource in condition["message"], condition
            time.sleep(5)
            for other in well:
                assert world.lab.condition(NAME, other)["status"] == "True", other

    outcome = world.run(CREATE, disturbed=missing())
    check(world, CREATE, outcome)


@pytest.fixture(scope="session")
def faketime() -> Path:
    """A library that moves the clock of one process."""
    if not shutil.which("faketime"):
        debian.require("faketime", progress.Progress(0), otherwise="apt-get install faketime")
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return library


@pytest.mark.parametrize("scenario", [CREATE, HOST, DELETE], ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("jump", ["+3600", "-3600"])
def test_a_clock_that_jumps_an_hour_changes_nothing(
    world: World, faketime: Path, tmp_path: Path, scenario: Scenario, jump: str
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    world.reset(first=False)
    expected = world.run(scenario)
    world.environment = {
        "LD_PRELOAD": str(faketime),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    world.reset(first=False)
    world.restart_operator()

    @contextmanager
    def jumped() -> Iterator[None]:
        clock.write_text(f"{jump}\n")
        yield
        hour = time.strftime(" %H:", time.localtime(time.time() + int(jump)))
        wait_until(lambda: hour in world.log, timeout=20, what="a line of another hour")

    try:
        outcome = world.run(scenario, disturbed=jumped())
    finally:
        world.environment = {}
        world.stop_operator()
    assert outcome.state == expected.state
    assert (outcome.effects, outcome.told) == (expected.effects, expected.told)
    assert json.loads(outcome.state)
