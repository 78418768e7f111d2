"""Every reason that a condition or an Event of the operator can have."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """CamelCase, as conditions and Events want them; the comment says when each is used."""

    # Ready, and any condition before its first finding
    RECONCILING = "Reconciling"  # seen, not yet judged
    READY = "Ready"  # storage, registry and nodes are ready
    TERMINATING = "Terminating"  # its namespace goes; as an Event: nodes have forgotten the name
    OPERATOR_REMOVED = "OperatorRemoved"  # written by `restore`: nobody looks after it any more

    # Any condition: why nothing could be done
    INVALID_SPEC = "InvalidSpec"  # admission had not seen a rule that the operator checks again
    NAME_CONFLICT = "NameConflict"  # a child's name is taken by an object that is not ours
    HOST_CONFLICT = "HostConflict"  # another LocalRegistry holds the host or an alias
    HOST_NOT_ALLOWED = "HostNotAllowed"  # hostPolicy grants the namespace no such host or alias
    APPLY_FAILED = "ApplyFailed"  # the API server refused a child
    FORBIDDEN = "Forbidden"  # the operator lacks a right, named in the message

    # StorageReady
    CLAIM_BOUND = "ClaimBound"  # the claim is bound to a volume
    CLAIM_PENDING = "ClaimPending"  # the claim waits for a volume
    PROVISIONING_FAILED = "ProvisioningFailed"  # nobody gives the claim a volume, and says why
    CLAIM_NOT_FOUND = "ClaimNotFound"  # spec.storage.existingClaim names a claim that is not there
    CLAIM_IN_USE = "ClaimInUse"  # an older LocalRegistry writes to it
    CLAIM_TERMINATING = "ClaimTerminating"  # the claim is being deleted while it is in use
    CLAIM_UNSUITABLE = "ClaimUnsuitable"  # of another class or access mode than the spec asks for
    CLAIM_LOST = "ClaimLost"  # the claim is there, its volume is gone
    CLAIM_RESIZING = "ClaimResizing"  # the volume grows
    RESIZE_REFUSED = "ResizeRefused"  # the volume cannot grow
    DATA_LOST = "DataLost"  # the recorded claim is gone: nothing is created unasked
    STORAGE_ALMOST_FULL = "StorageAlmostFull"  # 95 %: pushes that do not fit will fail; still True
    STORAGE_FULL = "StorageFull"  # pushes fail, pulls go on: True all the same
    VOLUME_READ_ONLY = "VolumeReadOnly"  # its node has made the file system read-only
    EPHEMERAL = "Ephemeral"  # an emptyDir: images are lost with the pod

    # RegistryAvailable
    DEPLOYMENT_AVAILABLE = "DeploymentAvailable"  # the registry's pod answers
    DEPLOYMENT_PROGRESSING = "DeploymentProgressing"  # the pod starts, or a new one takes over
    DEPLOYMENT_UNAVAILABLE = "DeploymentUnavailable"  # the pod does not answer
    IMAGE_PULL_FAILED = "ImagePullFailed"  # the registry's own image cannot be pulled
    POD_UNSCHEDULABLE = "PodUnschedulable"  # no node takes the pod
    POD_REFUSED = "PodRefused"  # a quota or a policy lets no pod be made
    VOLUME_NOT_MOUNTED = "VolumeNotMounted"  # the node cannot attach or mount the volume
    POD_CRASHING = "PodCrashing"  # the registry ends again and again
    VOLUME_NOT_WRITABLE = "VolumeNotWritable"  # user 65532 cannot write to the volume
    WAITING_FOR_STORAGE = "WaitingForStorage"  # the claim comes first

    # Exposed
    INGRESS_ADMITTED = "IngressAdmitted"  # a controller wrote the Ingress's address
    INGRESS_NOT_ADMITTED = "IngressNotAdmitted"  # no controller took the Ingress
    PUSH_STOPPED = "PushStopped"  # a push through the Ingress would fail, and by what
    INGRESS_PENDING = "IngressPending"  # a controller has some time to take it
    INGRESS_DISABLED = "IngressDisabled"  # spec.ingress.enabled is false

    # NodesReady
    NODES_CONFIGURED = "NodesConfigured"  # every node pulled the probe image
    NODES_PENDING = "NodesPending"  # some nodes have not answered yet
    NODES_FAILING = "NodesFailing"  # some nodes cannot pull; status.nodes.failing says why
    NO_ELIGIBLE_NODES = "NoEligibleNodes"  # no Linux node that is Ready
    NO_NODES_SELECTED = "NoNodesSelected"  # spec.nodes.selector fits no node at all
    PREVIEW = "Preview"  # spec.nodes.management: nodes only say what they would change
    UNMANAGED = "Unmanaged"  # spec.nodes.management: nodes are left alone
    WAITING_FOR_REGISTRY = "WaitingForRegistry"  # nothing to pull from yet
    PROBE_PUSH_FAILED = "ProbePushFailed"  # the registry did not take the probe image
    TRUST_TOO_LARGE = "TrustTooLarge"  # the trust document would not fit into its ConfigMap


# Of conditions that are True, since nothing is broken yet: their Events are warnings.
WARNINGS = frozenset({Reason.STORAGE_ALMOST_FULL, Reason.STORAGE_FULL})
