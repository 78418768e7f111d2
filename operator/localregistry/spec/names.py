"""The names that appear on the cluster: group, labels, annotations and children's names."""

from __future__ import annotations

import hashlib
import re

GROUP = "localregistry.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "LocalRegistry"
PLURAL = "localregistries"

FINALIZER = f"{GROUP}/node-trust"
FIELD_MANAGER = "localregistry-operator"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = FIELD_MANAGER
NAME_LABEL = "app.kubernetes.io/name"
INSTANCE_LABEL = "app.kubernetes.io/instance"
COMPONENT_LABEL = "app.kubernetes.io/component"
PART_OF_LABEL = "app.kubernetes.io/part-of"
PART_OF = "localregistry"

# On the claim, which has no ownerReference: the UID and the name of the LocalRegistry it serves.
OWNER_UID_ANNOTATION = f"{GROUP}/owner-uid"
OWNER_NAME_ANNOTATION = f"{GROUP}/owner-name"
# Set by a user whose claim was lost: go on with an empty volume.
ACCEPT_DATA_LOSS_ANNOTATION = f"{GROUP}/accept-data-loss"
# "true", set by a user: Tilt, ctlptl and their like shall find it, see resources/hosting.py.
HOSTING_ANNOTATION = f"{GROUP}/local-registry-hosting"
# On the pod template: a changed configuration makes a new pod.
CONFIG_CHECKSUM_ANNOTATION = f"{GROUP}/config-checksum"
# On the registry's Deployment: see resources/rollout.py.
TEMPLATE_ANNOTATION = f"{GROUP}/template"
USAGE_IMAGE_ANNOTATION = f"{GROUP}/usage-image"
USAGE_PAGE_ANNOTATION = f"{GROUP}/usage-page"

_SUFFIX = "-registry"
# A Service's name is a DNS-1035 label and at most 63 characters; all children share one name.
_MAX_LABEL = 63
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def child_name(name: str) -> str:
    """The name that all children of the LocalRegistry `name` share: `<name>-registry`.

    A resource's name may be longer than a Service's, begin with a digit or hold dots. Such a name
    is cut to what a Service takes, and kept apart from its like by 8 hex digits of its hash.
    """
    plain = name + _SUFFIX
    if _SERVICE_NAME.fullmatch(plain):
        return plain
    ending = f"-{_short_hash(name)}{_SUFFIX}"
    beginning = re.sub(r"[^a-z0-9]+", "-", name.lower())
    if not beginning[:1].isalpha():
        beginning = f"r{beginning}"
    return beginning[: _MAX_LABEL - len(ending)].rstrip("-") + ending


def endpoint(namespace: str, name: str) -> str:
    """Where pods reach the registry of this LocalRegistry: host and port."""
    return f"{child_name(name)}.{namespace}.svc:80"


def instance_label(name: str) -> str:
    """The resource's name as a label value; a name of more than 63 characters is cut and hashed."""
    if _LABEL_VALUE.fullmatch(name):
        return name
    kept = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    ending = f"-{_short_hash(name)}"
    return f"{kept[: _MAX_LABEL - len(ending)].rstrip('-')}{ending}".lstrip("-")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
