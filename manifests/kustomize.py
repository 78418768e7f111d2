"""manifests/base: the objects of install.yaml as kustomize takes them, the CRD from crds/."""

from __future__ import annotations

from typing import Any

import yaml

Manifest = dict[str, Any]

CRD = "CustomResourceDefinition"
LABELS = "crd-labels.yaml"
# File by kind; the CRD has its own folder, outside of manifests/.
FILES = {
    "Namespace": "namespace.yaml",
    "ServiceAccount": "rbac.yaml",
    "ClusterRole": "rbac.yaml",
    "ClusterRoleBinding": "rbac.yaml",
    "Role": "rbac.yaml",
    "RoleBinding": "rbac.yaml",
    "Deployment": "operator.yaml",
    "Service": "operator.yaml",
    "NetworkPolicy": "policies.yaml",
    "ValidatingAdmissionPolicy": "policies.yaml",
    "ValidatingAdmissionPolicyBinding": "policies.yaml",
}
NAMES = ("kustomization.yaml", LABELS, *dict.fromkeys(FILES.values()))


def base(documents: list[Manifest], header: str) -> dict[str, str]:
    """The files of manifests/base by name, from the objects of install.yaml. KeyError: a kind that
    nobody has found a file for."""
    files: dict[str, list[Manifest]] = {name: [] for name in dict.fromkeys(FILES.values())}
    crd: Manifest = {}
    for item in documents:
        if item["kind"] == CRD:
            crd = item
        else:
            files[FILES[item["kind"]]].append(item)
    texts = {name: header + _dump(*items) for name, items in files.items()}
    kustomization = header + _dump(_kustomization(list(files)))
    return {"kustomization.yaml": kustomization, LABELS: header + _dump(_labels(crd)), **texts}


def _labels(crd: Manifest) -> Manifest:
    """A patch: the source has no label of a version; what is installed has."""
    metadata = {"name": crd["metadata"]["name"], "labels": crd["metadata"]["labels"]}
    return {"apiVersion": crd["apiVersion"], "kind": CRD, "metadata": metadata}


def _kustomization(files: list[str]) -> Manifest:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["../../crds", *files],
        "patches": [{"path": LABELS}],
    }


def _dump(*items: Manifest) -> str:
    return yaml.safe_dump_all(items, sort_keys=False, allow_unicode=True, width=100)
