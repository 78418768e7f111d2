"""The line that mends it, for each reason of a condition.

docs/reference/troubleshooting.md says more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localregistry.spec.reasons import Reason

# {namespace} and {name} are of the LocalRegistry, {system} is the operator's namespace; {room} is
# of ROOM, by the kind of storage.
_GET = "kubectl get localregistry {name} -n {namespace} -o yaml"
_EDIT = "kubectl edit localregistry {name} -n {namespace}"
_PODS = "kubectl describe pod -n {namespace} -l app.kubernetes.io/name=registry"
_CLAIM = "kubectl describe pvc {claim} -n {namespace}"
# A folder of a larger file system does not grow with its claim.
_SHARED = "; where the message names the file system that holds it, free space on that"
ROOM = {
    "size": "kubectl patch localregistry {name} -n {namespace} --type=merge "
    """-p '{{"spec":{{"storage":{{"size":"LARGER"}}}}}}'""" + _SHARED,
    "existingClaim": "kubectl patch pvc {claim} -n {namespace} "
    """-p '{{"spec":{{"resources":{{"requests":{{"storage":"LARGER"}}}}}}}}'"""
    ", or let who made the volume make it larger" + _SHARED,
    "ephemeral": "Free space on the disk of the pod's node, or make the LocalRegistry anew with "
    "spec.storage.size.",
}
_LOG = "kubectl logs -n {system} deployment/localregistry"

CURES: dict[Reason, str] = {
    Reason.RECONCILING: f"Wait some seconds; if it lasts: {_LOG}",
    Reason.TERMINATING: "Wait 30 s; if it lasts, a node that is Ready does not confirm: "
    "localregistry status {name} -n {namespace}",
    Reason.INVALID_SPEC: _EDIT,
    Reason.NAME_CONFLICT: "Rename or delete the object that the message names.",
    Reason.HOST_CONFLICT: f"Choose another host, or delete its holder: {_EDIT}",
    Reason.HOST_NOT_ALLOWED: "Ask the cluster's administrator for the host in the chart's "
    "hostPolicy.",
    Reason.APPLY_FAILED: f"Do what the API server's words say: {_EDIT}",
    Reason.FORBIDDEN: "Give the operator its rights again: helm upgrade localregistry "
    "manifests/chart -n {system}, or kubectl apply --server-side -f manifests/install.yaml",
    Reason.CLAIM_PENDING: _CLAIM,
    Reason.PROVISIONING_FAILED: f"Name a storage class that is there: {_CLAIM}",
    Reason.CLAIM_NOT_FOUND: "Create the claim that spec.storage.existingClaim names.",
    Reason.CLAIM_IN_USE: "Make the LocalRegistry anew with a claim of its own, or with a size.",
    Reason.CLAIM_TERMINATING: "Copy the images before the pod ends, or let them go.",
    Reason.CLAIM_UNSUITABLE: "Make the LocalRegistry anew with what the message says.",
    Reason.CLAIM_LOST: f"Restore the volume: {_CLAIM}",
    Reason.CLAIM_RESIZING: "Wait; if FileSystemResizePending stays: kubectl rollout restart "
    "deployment {child} -n {namespace}",
    Reason.RESIZE_REFUSED: "kubectl patch storageclass CLASS -p "
    """'{{"allowVolumeExpansion":true}}', or set spec.storage.size back.""",
    Reason.DATA_LOST: "Restore the claim under its name, or run the kubectl annotate of the "
    "message.",
    Reason.STORAGE_ALMOST_FULL: "{room}",
    Reason.STORAGE_FULL: "{room}",
    Reason.VOLUME_READ_ONLY: "Have the node's administrator check the volume's file system "
    "(dmesg), then: kubectl delete pod -n {namespace} -l app.kubernetes.io/name=registry",
    Reason.OPERATOR_REMOVED: "Install the operator again, or delete the LocalRegistry.",
    Reason.DEPLOYMENT_PROGRESSING: f"Wait; if it lasts: {_PODS}",
    Reason.DEPLOYMENT_UNAVAILABLE: _PODS,
    Reason.IMAGE_PULL_FAILED: "Name an image that its node can pull in spec.image, or its secret "
    f"in spec.imagePullSecrets: {_EDIT}",
    Reason.POD_UNSCHEDULABLE: _PODS,
    Reason.POD_REFUSED: "Do what the quota's or the policy's words say.",
    Reason.VOLUME_NOT_MOUNTED: _PODS,
    Reason.POD_CRASHING: "kubectl logs -n {namespace} deployment/{child} --previous",
    Reason.VOLUME_NOT_WRITABLE: "chown -R 65532:65532 the volume's folder.",
    Reason.WAITING_FOR_STORAGE: f"See StorageReady: {_CLAIM}",
    Reason.INGRESS_NOT_ADMITTED: "Run a controller for that class, or set spec.ingress.className: "
    "kubectl get ingressclasses",
    Reason.PUSH_STOPPED: "Change in the Ingress controller, or in the proxy before it, what the "
    "message names.",
    Reason.INGRESS_PENDING: "Wait a minute.",
    Reason.NODES_PENDING: "localregistry wait {name} -n {namespace}",
    Reason.NODES_FAILING: "localregistry status {name} -n {namespace} names the nodes.",
    Reason.NO_ELIGIBLE_NODES: "kubectl get nodes",
    Reason.NO_NODES_SELECTED: "kubectl get nodes --show-labels, against spec.nodes.selector.",
    Reason.WAITING_FOR_REGISTRY: "See RegistryAvailable.",
    Reason.PROBE_PUSH_FAILED: "Make room on the volume, or let the operator through the "
    "NetworkPolicy to the registry's port.",
    Reason.TRUST_TOO_LARGE: "Delete some LocalRegistries, or set them to Unmanaged.",
}


def of(
    reason: str,
    *,
    namespace: str,
    name: str,
    child: str,
    system: str,
    storage: Mapping[str, Any] | None = None,
) -> str:
    """For a reason of a newer operator, where to look. `storage` is that of the spec."""
    known = CURES.get(Reason(reason)) if reason in list(Reason) else None
    given = storage or {}
    kind = next((kind for kind in ("existingClaim", "ephemeral") if given.get(kind)), "size")
    line = (known or _GET).replace("{room}", ROOM[kind])
    claim = given.get("existingClaim") or child
    return line.format(namespace=namespace, name=name, child=child, system=system, claim=claim)
