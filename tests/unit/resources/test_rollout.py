"""A new release of the operator restarts no registry for the container beside it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from localregistry.resources import deployment, rollout
from localregistry.resources.config import OperatorConfig
from localregistry.spec.names import USAGE_IMAGE_ANNOTATION, USAGE_PAGE_ANNOTATION

from .registries import registry

Body = dict[str, Any]

OLD, NEW = OperatorConfig(agent_image="agent:1"), OperatorConfig(agent_image="agent:2")


def built(config: OperatorConfig, **spec: Any) -> Body:
    body = deployment.build(registry({"host": "registry.example.internal", **spec}), config)
    assert body
    return body


def live(config: OperatorConfig, *, available: int = 1, **spec: Any) -> Body:
    """As the API server gives it back: with defaults, and what is seen of the pods."""
    body = copy.deepcopy(built(config, **spec))
    body["spec"]["template"]["spec"]["dnsPolicy"] = "ClusterFirst"
    return {**body, "status": {"availableReplicas": available} if available else {}}


def image(body: Body) -> str:
    (usage,) = [c for c in body["spec"]["template"]["spec"]["containers"] if c["name"] == "usage"]
    assert body["metadata"]["annotations"][USAGE_IMAGE_ANNOTATION] == usage["image"]
    return str(usage["image"])


def test_a_registry_that_serves_goes_on_with_the_image_that_it_has() -> None:
    before = live(OLD)
    after = rollout.undisturbed(built(NEW), before)
    assert image(after) == "agent:1"
    assert after["spec"] == built(OLD)["spec"], "no byte of the pod is another one"


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        (live(OLD), built(NEW, image="registry:4")),
        (live(OLD), built(replace(NEW, registry_image="registry:4"))),
        (live(OLD, available=0), built(NEW)),
        ({"metadata": {}, "status": {"availableReplicas": 1}}, built(NEW)),
    ],
    ids=[
        "the pod is made anew for its own image",
        "the pod is made anew for the operator's default",
        "nobody is served anyway",
        "a Deployment of before has no fingerprint",
    ],
)
def test_the_image_follows_where(before: Body, wanted: Body) -> None:
    assert image(rollout.undisturbed(wanted, before)) == "agent:2"


def _of_before_the_page(body: Body) -> Body:
    body["metadata"]["annotations"].pop(USAGE_PAGE_ANNOTATION)
    return body


def test_an_image_that_is_kept_has_the_page_where_it_had_it_before() -> None:
    assert rollout.has_page(built(NEW))
    assert rollout.has_page(rollout.undisturbed(built(NEW), live(OLD)))
    old = _of_before_the_page(live(OLD))
    kept = rollout.undisturbed(built(NEW), old)
    assert (image(kept), rollout.has_page(kept)) == ("agent:1", False)
    assert kept["spec"] == built(OLD)["spec"]
    anew = rollout.undisturbed(built(NEW, image="registry:4"), old)
    assert (image(anew), rollout.has_page(anew)) == ("agent:2", True)


def test_the_page_is_no_reason_for_a_new_pod() -> None:
    off, on = (built(NEW, page={"enabled": enabled}) for enabled in (False, True))
    assert off == on


def test_what_was_kept_is_kept_again_and_again() -> None:
    body = rollout.undisturbed(built(NEW), live(OLD))
    for _ in range(3):
        body = rollout.undisturbed(built(NEW), {**body, "status": {"availableReplicas": 1}})
    assert image(body) == "agent:1"


def test_an_image_that_somebody_else_set_is_not_kept() -> None:
    edited = live(OLD)
    for container in edited["spec"]["template"]["spec"]["containers"]:
        container["image"] = "evil:1"
    assert image(rollout.undisturbed(built(OLD), edited)) == "agent:1"
    assert image(rollout.undisturbed(built(NEW), edited)) == "agent:1"


def test_what_is_remembered_decides_as_the_whole_deployment_does() -> None:
    older = _of_before_the_page(live(OLD))
    found: list[Body] = [live(OLD), older, live(OLD, available=0), {"metadata": {}, "status": {}}]
    for before in found:
        assert rollout.undisturbed(built(NEW), rollout.trace(before)) == rollout.undisturbed(
            built(NEW), before
        )
        assert rollout.has_page(rollout.trace(before)) == rollout.has_page(before)
    assert len(str(rollout.trace(live(OLD)))) < 300
