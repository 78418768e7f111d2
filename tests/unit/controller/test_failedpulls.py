"""Pods anywhere that cannot pull from a registry: whose it is, on which node, and for how long."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from localregistry.controller import failedpulls as module
from localregistry.controller.failedpulls import FIELDS, MAX_NODES, MEMORY_SECONDS
from localregistry.controller.kinds import Kind
from localregistry.controller.pullwords import Cause
from localregistry.controller.statuswriter import COUNTS_EVERY
from localregistry.controller.timestamps import rfc3339
from unit.controller.bodies import HOST, KEY, node, read, until
from unit.controller.standin_api import StandInApi
from unit.controller.world import World

REFUSED = "dial tcp 10.99.99.1:443: connect: connection refused"
NO_NAME = f"dial tcp: lookup {HOST} on 10.0.0.2:53: no such host"
IMAGE = f"{HOST}/secret/app:1"
BEGINS = "Pods could not pull in the last 10 minutes: "


class Lab(World):
    """A registry with the host of the tests, and the nodes n1, n2 and so on."""

    def __init__(self, *, nodes: int = 2, **given: Any) -> None:
        super().__init__(**given)
        for number in range(1, nodes + 1):
            self.given.fleet.observe_node(node(f"n{number}"), gone=False)
        self.trust.seen(read())

    def failed(
        self,
        words: str = REFUSED,
        *,
        on: str = "n1",
        image: str = f"{HOST}/secret/app:1",
        **more: Any,
    ) -> None:
        self.pulls.hear(self.event(f'Failed to pull image "{image}": {words}', on=on) | more)

    def event(self, note: str, *, on: str, ago: float = 0.0) -> dict[str, Any]:
        """As the kubelet's core/v1 Events are seen in events.k8s.io/v1."""
        at = datetime.datetime.fromtimestamp(self.clock.now - ago, datetime.UTC)
        return {
            "metadata": {"name": "web.1", "namespace": "foreign", "resourceVersion": "7"},
            "reason": "Failed",
            "type": "Warning",
            "note": note,
            "regarding": {"kind": "Pod", "namespace": "foreign", "name": "their-pod-x"},
            "eventTime": None,
            "deprecatedLastTimestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "deprecatedSource": {"component": "kubelet", "host": on},
        }

    @property
    def told(self) -> str:
        return self.pulls.words(KEY, (HOST,))[0]


def test_the_node_and_the_cause_are_told_and_nothing_of_the_pod() -> None:
    lab = Lab()
    lab.failed()
    assert lab.woken == [KEY]
    assert lab.told == f"{BEGINS}n1: {Cause.REFUSED}"
    for foreign in ("secret", "foreign", "their-pod", "10.99"):
        assert foreign not in lab.told


def test_what_is_said_again_is_no_news_and_another_cause_is() -> None:
    lab = Lab()
    for _ in range(20):
        lab.failed()
    assert lab.woken == [KEY]
    lab.failed(NO_NAME)
    assert lab.woken == [KEY, KEY]
    assert lab.told == f"{BEGINS}n1: {Cause.NO_NAME}"


def test_an_older_event_that_comes_late_takes_nothing_back() -> None:
    lab = Lab()
    lab.failed(NO_NAME)
    note = f'Failed to pull image "{HOST}/a": {REFUSED}'
    lab.pulls.hear(lab.event(note, on="n1", ago=60))
    assert lab.told == f"{BEGINS}n1: {Cause.NO_NAME}"


@pytest.mark.parametrize(
    ("note", "on"),
    [
        (f'Failed to pull image "docker.io/library/x": {REFUSED}', "n1"),
        (f'Failed to pull image "x": {REFUSED}', "n1"),
        ("Error: ErrImagePull", "n1"),
        (f'Failed to pull image "{HOST}/x": {REFUSED}', "no-such-node"),
        (f'Failed to pull image "{HOST}/x": {REFUSED}', ""),
    ],
    ids=[
        "of another registry",
        "of no registry",
        "of what is no pull",
        "from what is no node",
        "from nobody",
    ],
)
def test_what_is_no_concern_of_a_registry_is_left(note: str, on: str) -> None:
    lab = Lab()
    lab.pulls.hear(lab.event(note, on=on))
    assert lab.woken == []
    assert lab.told == ""


def test_an_event_that_expires_is_no_failure() -> None:
    lab = Lab()
    note = f'Failed to pull image "{HOST}/x": {REFUSED}'
    lab.pulls.hear(lab.event(note, on="n1", ago=MEMORY_SECONDS + 1))
    assert lab.told == ""


def test_what_failed_before_the_registry_was_made_is_of_another() -> None:
    lab, ago = Lab(), 60
    lab.trust.seen(read(created=rfc3339(lab.clock.now - ago)))
    note = f'Failed to pull image "{IMAGE}": {REFUSED}'
    lab.pulls.hear(lab.event(note, on="n1", ago=ago + 1))
    assert lab.told == ""
    lab.pulls.hear(lab.event(note, on="n1", ago=ago))
    assert lab.told == f"{BEGINS}n1: {Cause.REFUSED}"


def test_what_is_not_said_again_has_passed() -> None:
    lab = Lab()
    lab.failed()
    lab.clock.now += 300
    lab.failed(on="n2")
    words, again = lab.pulls.words(KEY, (HOST,))
    assert "n1: " in words
    assert again
    assert again == pytest.approx(MEMORY_SECONDS - 300 + 1, abs=1)
    lab.clock.now += again
    words, again = lab.pulls.words(KEY, (HOST,))
    assert words == f"{BEGINS}n2: {Cause.REFUSED}"
    assert again
    lab.clock.now += again
    assert lab.pulls.words(KEY, (HOST,)) == ("", None)


def test_a_name_with_a_port_that_is_not_the_registrys_is_told_with_it() -> None:
    lab = Lab()
    lab.failed("http: server gave HTTP response to HTTPS client", image=f"{HOST}:5000/a")
    assert lab.told == f"{BEGINS}n1, as {HOST}:5000: {Cause.HTTP_ANSWER}"


def test_of_many_nodes_some_are_named_and_not_more_kept() -> None:
    lab = Lab(nodes=MAX_NODES + 20)
    for number in range(1, MAX_NODES + 21):
        lab.failed(on=f"n{number}")
    assert lab.told.count(str(Cause.REFUSED)) == 3
    assert lab.told.endswith(f"; and {MAX_NODES - 3} nodes more")


def test_a_kubelet_that_writes_the_new_events_is_known_too() -> None:
    lab = Lab()
    now = datetime.datetime.fromtimestamp(lab.clock.now, datetime.UTC)
    lab.failed(
        on="", reportingInstance="n2", eventTime=f"{now:%Y-%m-%dT%H:%M:%S.%fZ}"
    )  # fmt: skip
    assert lab.told == f"{BEGINS}n2: {Cause.REFUSED}"


async def test_the_condition_says_it_beside_what_the_nodes_proved() -> None:
    lab = Lab()
    await lab.ready()
    before = lab.condition("NodesReady")
    lab.failed("manifest unknown: manifest unknown", on="n1")
    lab.clock.now += COUNTS_EVERY
    again = await lab.run()
    assert again is not None
    assert again <= MEMORY_SECONDS
    assert lab.condition("NodesReady") == before, "a wrong tag is no fault of a node"
    assert lab.message("NodesReady").endswith(f". {BEGINS}n1: {Cause.NO_IMAGE}")
    writes = len(lab.api.writes)
    await lab.run()
    assert len(lab.api.writes) == writes
    lab.clock.now += MEMORY_SECONDS + 1
    await lab.run()
    assert BEGINS not in lab.message("NodesReady")


async def test_nothing_is_kept_of_a_registry_that_is_gone() -> None:
    lab = Lab()
    await lab.run()
    lab.failed()
    lab.api._objects.pop(("LocalRegistry", *KEY))
    await lab.run()
    assert lab.pulls._told == {}


class Watched(StandInApi):
    """Says one Event in its first watch, and is cut."""

    asked: list[tuple[str | None, str | None, Mapping[str, str] | None]]
    says: dict[str, Any]

    async def watch(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        seconds: float,
        since: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        self.asked.append((namespace, since, fields))
        yield {}
        if len(self.asked) == 1:
            yield self.says
        else:
            await asyncio.Event().wait()


async def test_one_watch_of_all_namespaces_asks_for_what_failed_alone() -> None:
    api = Watched()
    api.asked = []
    lab = Lab()
    api.says = lab.event(f'Failed to pull image "{HOST}/x": {NO_NAME}', on="n1")
    pulls = module.FailedPulls(
        *(api, lab.trust),
        changed=lab.woken.append,
        is_node=lambda name: name == "n1",
        clock=lab.clock,
    )
    running = asyncio.create_task(pulls.run())
    await until(lambda: len(api.asked) == 2)
    running.cancel()
    assert api.asked == [(None, None, FIELDS), (None, "7", FIELDS)]
    assert lab.woken == [KEY]
    assert api.calls == [], "nothing is listed"
