"""What does not restart a registry: a new image of the container beside it, alone.

The usage container is of the agent's image, which each release changes. It follows when the
registry's pod is made anew for a reason of its own, or while it serves nobody anyway; until then
the Deployment goes on with the image that it has. A fingerprint of all else tells whether there is
such a reason; both stand in annotations of the Deployment, since what the API server gives back
holds its defaults as well. An image that somebody else put there is not kept.

A third annotation says that the image serves the page. One of before it does not, and as long as
such a one is kept the Ingress must lead nobody to it.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from localregistry.spec.names import (
    TEMPLATE_ANNOTATION,
    USAGE_IMAGE_ANNOTATION,
    USAGE_PAGE_ANNOTATION,
)

Body = dict[str, Any]
USAGE = "usage"
_ANNOTATIONS = (TEMPLATE_ANNOTATION, USAGE_IMAGE_ANNOTATION, USAGE_PAGE_ANNOTATION)


def marked(deployment: Body) -> Body:
    """The Deployment with its annotations, in place."""
    template = copy.deepcopy(deployment["spec"]["template"])
    usage = _usage(template)
    image = usage.pop("image")
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    annotations = deployment["metadata"].setdefault("annotations", {})
    annotations[TEMPLATE_ANNOTATION] = hashlib.sha256(text.encode()).hexdigest()[:16]
    annotations[USAGE_IMAGE_ANNOTATION] = image
    annotations[USAGE_PAGE_ANNOTATION] = "true"
    return deployment


def trace(live: Mapping[str, Any]) -> Body:
    """What `undisturbed` and `has_page` need of a Deployment: remembered instead of it."""
    annotations = live["metadata"].get("annotations") or {}
    kept = {name: annotations[name] for name in _ANNOTATIONS if name in annotations}
    available = (live.get("status") or {}).get("availableReplicas") or 0
    return {"metadata": {"annotations": kept}, "status": {"availableReplicas": available}}


def undisturbed(wanted: Body, live: Mapping[str, Any]) -> Body:
    """`wanted`, with the usage image that the live Deployment has, where nothing else differs and
    its registry serves."""
    mine = wanted["metadata"]["annotations"]
    theirs = live["metadata"].get("annotations") or {}
    image = theirs.get(USAGE_IMAGE_ANNOTATION)
    if not image or image == mine[USAGE_IMAGE_ANNOTATION]:
        return wanted
    if theirs.get(TEMPLATE_ANNOTATION) != mine[TEMPLATE_ANNOTATION]:
        return wanted
    if not (live.get("status") or {}).get("availableReplicas"):
        return wanted
    kept = copy.deepcopy(wanted)
    kept["metadata"]["annotations"][USAGE_IMAGE_ANNOTATION] = image
    if not has_page(live):
        del kept["metadata"]["annotations"][USAGE_PAGE_ANNOTATION]
    _usage(kept["spec"]["template"])["image"] = image
    return kept


def has_page(live: Mapping[str, Any]) -> bool:
    """Whether the container beside the registry, as it runs, serves the page."""
    return USAGE_PAGE_ANNOTATION in (live["metadata"].get("annotations") or {})


def _usage(template: Body) -> Body:
    usage: Body = next(c for c in template["spec"]["containers"] if c["name"] == USAGE)
    return usage
