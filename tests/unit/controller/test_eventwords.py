"""What the Events on a pod or a claim say of why it does not come up."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller import eventwords
from unit.controller.kubeevents import (
    CRASH,
    NO_IMAGE,
    NO_MOUNT,
    POD,
    SET,
    SICK,
    UNSCHEDULABLE,
    deployment,
    event,
    warning,
)

Events = list[dict[str, Any]]


def cause(events: Events, live: dict[str, Any] | None = None) -> tuple[str, str] | None:
    pods = eventwords.pods_of(live or deployment())
    found = eventwords.of_pod(eventwords.of_pods(events, pods))
    return (found.reason.value, found.message) if found else None


SCHEDULED = event("Scheduled", "Successfully assigned", at=1.5, precise=True)
PULLING = event("Pulling", "Pulling image", at=2, container="registry")
PULLED = event("Pulled", "Successfully pulled", at=4, container="registry")
STARTED = event("Started", "Started container", at=5, container="registry")
UNPULLED = [
    SCHEDULED,
    PULLING,
    warning("Failed", NO_IMAGE, at=3, container="registry"),
    warning("Failed", "Error: ErrImagePull", at=3, container="registry"),
    event("BackOff", "Back-off pulling image", at=4, container="registry"),
    warning("Failed", "Error: ImagePullBackOff", at=4, container="registry"),
]


@pytest.mark.parametrize(
    ("events", "reason", "words"),
    [
        pytest.param(
            [warning("FailedScheduling", UNSCHEDULABLE, precise=True)],
            "PodUnschedulable",
            UNSCHEDULABLE,
            id="no node fits",
        ),
        pytest.param(
            UNPULLED,
            "ImagePullFailed",
            f"container registry cannot be pulled: {NO_IMAGE}",
            id="its image does not exist",
        ),
        pytest.param(
            [SCHEDULED, PULLED, STARTED, warning("Failed", NO_IMAGE, at=6, container="usage")],
            "ImagePullFailed",
            "The image of container usage",
            id="the other container's image does not exist",
        ),
        pytest.param(
            [SCHEDULED, warning("FailedMount", NO_MOUNT, at=2)],
            "VolumeNotMounted",
            "MountVolume.SetUp failed",
            id="its volume cannot be mounted",
        ),
        pytest.param(
            [SCHEDULED, warning("FailedAttachVolume", "Multi-Attach error for volume", at=1)],
            "VolumeNotMounted",
            "Multi-Attach",
            id="its volume is attached elsewhere in the second it was scheduled in",
        ),
        pytest.param(
            [SCHEDULED, PULLED, STARTED, warning("BackOff", CRASH, at=7, container="registry")],
            "PodCrashing",
            "Container registry ends again and again: Back-off restarting",
            id="its process ends",
        ),
        pytest.param(
            [
                *(SCHEDULED, PULLED, warning("BackOff", CRASH, at=7, container="registry")),
                event("Started", at=5, last=20, container="registry"),
            ],
            "PodCrashing",
            "Container registry",
            id="its process ended and was started once more",
        ),
        pytest.param(
            [SCHEDULED, PULLED, STARTED, warning("Unhealthy", SICK, at=20, container="registry")],
            "DeploymentUnavailable",
            "503",
            id="its storage is sick",
        ),
        pytest.param(
            [SCHEDULED, warning("FailedCreatePodSandBox", "no addresses left", at=2)],
            "DeploymentUnavailable",
            "no addresses left",
            id="it gets no network",
        ),
        pytest.param(
            [SCHEDULED, STARTED, warning("NodeNotReady", "Node is not ready", at=60)],
            "DeploymentUnavailable",
            "Node is not ready",
            id="its node is lost",
        ),
        pytest.param(
            [SCHEDULED, PULLED, warning("Failed", "Error: exec: serve: not found", at=5)],
            "DeploymentUnavailable",
            "exec: serve",
            id="its image is of something else",
        ),
    ],
)
def test_the_cause_is_told_of_a_pod_where(events: Events, reason: str, words: str) -> None:
    found = cause(events)
    assert found is not None
    assert found[0] == reason
    assert words in found[1]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="nothing is told"),
        pytest.param([SCHEDULED, PULLING], id="all goes on"),
        pytest.param(
            [warning("FailedScheduling", UNSCHEDULABLE, at=0.5, precise=True), SCHEDULED, PULLING],
            id="a node was found since",
        ),
        pytest.param(
            [*UNPULLED, event("Pulled", at=9, container="registry")],
            id="the image was pulled since",
        ),
        pytest.param(
            [SCHEDULED, warning("FailedMount", NO_MOUNT, at=2), event("Pulling", at=8)],
            id="the volume was mounted since",
        ),
        pytest.param(
            [
                *(SCHEDULED, warning("BackOff", CRASH, at=7, container="registry")),
                event("Pulled", at=700, container="registry"),
            ],
            id="it has not ended for more than ten minutes",
        ),
    ],
)
def test_there_is_no_cause_where(events: Events) -> None:
    assert cause(events) is None


def test_a_series_counts_from_when_it_was_seen_last() -> None:
    again = warning("FailedScheduling", "the newest words", at=0, last=90, precise=True)
    once = warning("FailedScheduling", "older words", at=50, precise=True)
    assert "newest words" in str(cause([again, once]))


def test_words_of_several_lines_become_one() -> None:
    found = cause([warning("FailedMount", "Output: mount:\n  bad option\n")])
    assert found == (
        "VolumeNotMounted",
        "The registry's volume cannot be mounted: Output: mount: bad option",
    )


# Whose Events they are

OTHERS = {
    "of an older ReplicaSet": "dev-registry-6f6f6f6f6-aaaaa",
    "of another Deployment": "dev-registry-blue-7d9c5b8f4-aaaaa",
    "of something of the ReplicaSet's name": f"{SET}-aaaaa-bbbbb",
    "of somebody else": "web-1",
}


@pytest.mark.parametrize("pod", OTHERS.values(), ids=OTHERS)
def test_events_are_not_ours_that_are(pod: str) -> None:
    assert cause([warning("FailedScheduling", "not ours", at=99, pod=pod)]) is None


def test_without_a_word_of_the_replica_set_the_deployments_name_has_to_do() -> None:
    bare = deployment(None)
    assert cause([warning("FailedScheduling", UNSCHEDULABLE)], bare)
    others = [OTHERS["of another Deployment"], OTHERS["of somebody else"]]
    assert cause([warning("FailedScheduling", "no", pod=pod) for pod in others], bare) is None


def test_a_long_name_is_cut_as_kubernetes_cuts_it() -> None:
    live = deployment()
    child = live["metadata"]["name"] = "r" * 54 + "-registry"
    replica_set = f"{child}-7d9c5b8f4"
    live["status"]["conditions"][1]["message"] = f'ReplicaSet "{replica_set}" is progressing.'
    pod = f"{replica_set}-"[:58] + "abcde"
    assert len(pod) == 63
    assert cause([warning("FailedScheduling", UNSCHEDULABLE, pod=pod)], live)
    del live["status"]["conditions"][1]
    assert cause([warning("FailedScheduling", UNSCHEDULABLE, pod=pod)], live)


@pytest.mark.parametrize(
    "last", [("Killing", "Stopping container registry"), ("TaintManagerEviction", "Marking")]
)
def test_a_pod_that_is_going_tells_nothing_of_the_one_that_comes(last: tuple[str, str]) -> None:
    old = [
        warning("Unhealthy", "the old one", at=5, pod=f"{SET}-aaaaa"),
        event(*last, at=99, pod=f"{SET}-aaaaa"),
    ]
    assert cause(old) is None
    new = warning("FailedScheduling", UNSCHEDULABLE, at=50)
    assert UNSCHEDULABLE in str(cause([*old, new]))


def test_a_container_that_is_restarted_in_its_pod_goes_on_telling() -> None:
    note = "Container registry failed liveness probe, will be restarted"
    events = [warning("Unhealthy", "Liveness probe failed", at=5), event("Killing", note, at=6)]
    assert "Liveness probe failed" in str(cause(events))


# Claims


def on_claim(*events: dict[str, Any]) -> tuple[str, bool] | None:
    return eventwords.of_claim(events)


WAITS = event("WaitForFirstConsumer", "waiting for first consumer", at=9, pod="dev-registry")
NO_CLASS = 'storageclass.storage.k8s.io "nope" not found'


def test_a_claim_tells_what_it_waits_for_and_whether_that_is_a_failure() -> None:
    assert on_claim() is None
    assert on_claim(WAITS) == ("waiting for first consumer", False)
    failed = warning("ProvisioningFailed", NO_CLASS, at=5)
    assert on_claim(failed, WAITS) == (NO_CLASS, True)
    unbound = event("FailedBinding", "no persistent volumes available and no storage class is set")
    assert on_claim(unbound) == (unbound["note"], True)


def test_the_pod_of_these_tests_is_one_that_the_replica_set_makes() -> None:
    assert POD.startswith(f"{SET}-")
