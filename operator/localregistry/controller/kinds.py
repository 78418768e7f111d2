"""The kinds this operator reads or writes, so that no discovery is needed to address them."""

from __future__ import annotations

from dataclasses import dataclass

from localregistry.spec import names


@dataclass(frozen=True)
class Kind:
    """One resource type of the API: where it is served, and what it is called."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return self.kind


LOCAL_REGISTRY = Kind(names.GROUP, names.VERSION, names.KIND, names.PLURAL)
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
CLAIM = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE = Kind("", "v1", "Service", "services")
POD = Kind("", "v1", "Pod", "pods")
NODE = Kind("", "v1", "Node", "nodes", namespaced=False)
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
DAEMON_SET = Kind("apps", "v1", "DaemonSet", "daemonsets")
INGRESS = Kind("networking.k8s.io", "v1", "Ingress", "ingresses")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
EVENT = Kind("events.k8s.io", "v1", "Event", "events")

CHILD_KINDS = (CONFIG_MAP, CLAIM, DEPLOYMENT, SERVICE, INGRESS)
