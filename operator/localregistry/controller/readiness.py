"""Reads conditions off the live children: pure, one function per condition.

Each is an ordered list of questions; the first that applies decides. Messages are the words of the
object that knows the cause where it has any, and name the next step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localregistry.controller.fleet import NodesSummary
from localregistry.controller.previews import MAX_GROUPS, Previews
from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry
from localregistry.spec.selector import Selector

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

# A controller that works writes an Ingress's address within seconds.
INGRESS_PATIENCE = 60.0
# A selector may be as long as a page; what is wrong with it is seen at its beginning.
MAX_SELECTOR = 300
# EACCES and EROFS, as Go spells them.
UNWRITABLE = ("permission denied", "read-only file system")

Body = Mapping[str, Any]


def available(registry: LocalRegistry, deployment: Body) -> Condition:
    """From the Deployment. A registry that has never been available yet is Unknown, not False."""
    meta, status = deployment["metadata"], deployment.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    seen = int(status.get("observedGeneration") or 0) >= int(meta.get("generation") or 0)
    pods = int(status.get("updatedReplicas") or 0)
    ready = int(status.get("availableReplicas") or 0)
    if seen and ready >= 1 and pods >= 1:
        return _available(TRUE, Reason.DEPLOYMENT_AVAILABLE, "The registry answers")
    failure = conditions.get("ReplicaFailure")
    if seen and failure and failure.get("status") == "True":
        message = f"The registry's pod cannot be made: {failure.get('message')}"
        return _available(FALSE, Reason.POD_REFUSED, message)
    where = f"kubectl describe pod -n {registry.namespace} -l app.kubernetes.io/name=registry"
    progressing = conditions.get("Progressing")
    if seen and progressing and progressing.get("status") == "False":
        message = f"The registry's pod does not become ready: see {where}"
        return _available(FALSE, Reason.DEPLOYMENT_UNAVAILABLE, message)
    if _reason_before(registry) in (Reason.DEPLOYMENT_AVAILABLE, Reason.DEPLOYMENT_UNAVAILABLE):
        message = f"The registry's pod is not ready: if this lasts, see {where}"
        return _available(FALSE, Reason.DEPLOYMENT_UNAVAILABLE, message)
    message = f"The registry's pod is starting: if this lasts, see {where}"
    return _available(UNKNOWN, Reason.DEPLOYMENT_PROGRESSING, message)


def unwritable(refused: str) -> Condition | None:
    """RegistryAvailable where a push was refused with the engine's words for a volume that it
    cannot write to; its own check of its health only reads."""
    if not any(words in refused for words in UNWRITABLE):
        return None
    message = f"User 65532 cannot write to the volume: {refused}"
    return _available(FALSE, Reason.VOLUME_NOT_WRITABLE, message)


def exposed(registry: LocalRegistry, ingress: Body | None, *, age: float) -> Condition:
    """From the Ingress; `age` is its age in seconds."""
    if ingress is None:
        return _exposed(TRUE, Reason.INGRESS_DISABLED, "There is no Ingress: it is not asked for")
    if addresses := admitted(ingress):
        first = addresses[0].get("ip") or addresses[0].get("hostname") or "an address"
        message = f"The Ingress serves {registry.spec.host} at {first}"
        return _exposed(TRUE, Reason.INGRESS_ADMITTED, message)
    class_name = (ingress.get("spec") or {}).get("ingressClassName")
    if age < INGRESS_PATIENCE:
        return _exposed(UNKNOWN, Reason.INGRESS_PENDING, "The Ingress waits for its controller")
    message = (
        f"No controller has taken the Ingress (class {class_name}): is one running for that class?"
        if class_name
        else "No controller has taken the Ingress: the cluster has no default IngressClass, so set "
        "spec.ingress.className"
    )
    return _exposed(FALSE, Reason.INGRESS_NOT_ADMITTED, message)


def admitted(ingress: Body) -> list[Body]:
    """The addresses that a controller has given it; none before one has taken it."""
    return ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []


def stopped(why: str) -> Condition | None:
    """Exposed where a push through the Ingress would fail."""
    message = f"A push through the Ingress fails: {why}"
    return _exposed(FALSE, Reason.PUSH_STOPPED, message) if why else None


def nodes(summary: NodesSummary, selector: Selector) -> Condition:
    """From what the agents answered for this registry."""
    if summary.misses:
        return _missed(selector)
    if summary.desired == 0:
        message = "No Linux node is Ready: nothing can pull"
        return _nodes(UNKNOWN, Reason.NO_ELIGIBLE_NODES, message)
    if summary.failing:
        first = summary.failing[0]
        more = f" (and {len(summary.failing) - 1} more)" if len(summary.failing) > 1 else ""
        message = f"{summary.text} nodes can pull; {first.name}: {first.message}{more}"
        return _nodes(FALSE, Reason.NODES_FAILING, message)
    if summary.waiting:
        message = f"{summary.text} nodes can pull; waiting for {', '.join(summary.waiting[:3])}"
        return _nodes(UNKNOWN, Reason.NODES_PENDING, message)
    return _nodes(TRUE, Reason.NODES_CONFIGURED, f"All {summary.desired} nodes pulled an image")


def preview(found: Previews, selector: Selector) -> Condition:
    """From what the agents say that they would change: nothing of it has to be good."""
    if found.misses:
        return _missed(selector)
    message = (
        f"{found.answered}/{found.desired} nodes have said what they would change, and have changed"
        " nothing: see status.nodes.preview"
    )
    if len(found.groups) > MAX_GROUPS:
        message += f", which has the first {MAX_GROUPS} of {len(found.groups)} different answers"
    if found.failing:
        first = found.failing[0]
        more = f" (and {len(found.failing) - 1} more)" if len(found.failing) > 1 else ""
        message += f"; could not be configured: {first.name}: {first.message}{more}"
    return _nodes(TRUE, Reason.PREVIEW, message)


def _missed(selector: Selector) -> Condition:
    text = str(selector)
    if len(text) > MAX_SELECTOR:
        text = text[: MAX_SELECTOR - 1] + "…"
    message = (
        f"No node has the labels that spec.nodes.selector asks for ({text}): compare it with "
        "kubectl get nodes --show-labels"
    )
    return _nodes(FALSE, Reason.NO_NODES_SELECTED, message)


def _reason_before(registry: LocalRegistry) -> str | None:
    for condition in registry.status.get("conditions") or ():
        if condition.get("type") == ConditionType.REGISTRY_AVAILABLE.value:
            return str(condition.get("reason"))
    return None


def _available(status: ConditionStatus, reason: Reason, message: str) -> Condition:
    return Condition(ConditionType.REGISTRY_AVAILABLE, status, reason, message)


def _exposed(status: ConditionStatus, reason: Reason, message: str) -> Condition:
    return Condition(ConditionType.EXPOSED, status, reason, message)


def _nodes(status: ConditionStatus, reason: Reason, message: str) -> Condition:
    return Condition(ConditionType.NODES_READY, status, reason, message)
