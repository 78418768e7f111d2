"""Where the API serves what the commands read."""

from __future__ import annotations

from localregistry.spec.names import API_VERSION, PLURAL, child_name

GROUP_PATH = f"/apis/{API_VERSION}"
NODES = "/api/v1/nodes"
INGRESS_CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"

_COLLECTIONS = {
    "ConfigMap": ("/api/v1", "configmaps"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "Service": ("/api/v1", "services"),
    "Pod": ("/api/v1", "pods"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "Ingress": ("/apis/networking.k8s.io/v1", "ingresses"),
    "Event": ("/apis/events.k8s.io/v1", "events"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "LocalRegistry": (GROUP_PATH, PLURAL),
}


def of(kind: str, namespace: str | None, name: str = "") -> str:
    """Of one object, or of all in the namespace, or (None) in all namespaces."""
    prefix, plural = _COLLECTIONS[kind]
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{prefix}{scope}/{plural}{f'/{name}' if name else ''}"


def service_proxy(namespace: str, registry: str, port: str) -> str:
    """Of a registry's Service, by the name of the port."""
    return f"{of('Service', namespace)}/{child_name(registry)}:{port}/proxy"


def pod_proxy(namespace: str, pod: str, port: int) -> str:
    return f"{of('Pod', namespace)}/{pod}:{port}/proxy"


def namespace(name: str) -> str:
    return f"/api/v1/namespaces/{name}"
