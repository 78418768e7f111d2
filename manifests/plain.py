"""The manifests for those who do without Helm, from what `helm template` prints of the chart."""

from __future__ import annotations

from typing import Any

import yaml

from manifests import kustomize

NAMESPACE = "localregistry-system"
CLEANING = "localregistry-clean"
HOOK = "helm.sh/hook"

Manifest = dict[str, Any]


def without_helm(manifest: Manifest) -> Manifest:
    """Takes away, in place, the labels and annotations that only Helm understands."""
    template = manifest.get("spec", {}).get("template", {})
    for metadata in (manifest["metadata"], template.get("metadata", {})):
        metadata.get("labels", {}).pop("helm.sh/chart", None)
        metadata.get("labels", {}).pop("app.kubernetes.io/managed-by", None)
        annotations = metadata.get("annotations", {})
        for name in [name for name in annotations if name.startswith("helm.sh/")]:
            del annotations[name]
        if metadata.get("annotations") == {}:
            del metadata["annotations"]
    return manifest


def hook(manifest: Manifest) -> str:
    """When Helm runs it: `pre-delete`, say; "" for what is simply installed."""
    return str(manifest["metadata"].get("annotations", {}).get(HOOK, ""))


def namespace(name: str = NAMESPACE) -> Manifest:
    """The agent mounts host paths, which only the Pod Security level "privileged" admits."""
    levels = ("enforce", "audit", "warn")
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/name": "localregistry",
                "app.kubernetes.io/part-of": "localregistry",
                **{f"pod-security.kubernetes.io/{level}": "privileged" for level in levels},
            },
        },
    }


def parse(rendered: str) -> list[Manifest]:
    return [item for item in yaml.safe_load_all(rendered) if item]


def install(rendered: str, chart_digest: str) -> str:
    """install.yaml, from what `helm template` printed."""
    return _text(installed(rendered), chart_digest)


def installed(rendered: str) -> list[Manifest]:
    """The objects of install.yaml, in their order."""
    wanted = [without_helm(item) for item in parse(rendered) if not hook(item)]
    return [namespace(), *wanted]


def uninstall(rendered: str, chart_digest: str) -> str:
    """uninstall.yaml: what the chart runs before it is deleted."""
    wanted = [without_helm(item) for item in parse(rendered) if hook(item) == "pre-delete"]
    return _text(wanted, chart_digest)


def clean_nodes(rendered: str, chart_digest: str) -> str:
    """clean-nodes.yaml: the same in a namespace of its own, and a cleaner on every node."""
    agents = next(
        env["value"]
        for item in parse(rendered)
        if item["kind"] == "Deployment"
        for env in item["spec"]["template"]["spec"]["containers"][0]["env"]
        if env["name"] == "AGENT_IMAGE"
    )
    restore = [without_helm(item) for item in parse(rendered) if hook(item) == "pre-delete"]
    for item in restore:
        item["metadata"]["name"] = CLEANING
        if "namespace" in item["metadata"]:
            item["metadata"]["namespace"] = CLEANING
        if "roleRef" in item:
            item["roleRef"]["name"] = CLEANING
            item["subjects"] = [{"kind": "ServiceAccount", "name": CLEANING, "namespace": CLEANING}]
        if item["kind"] == "Job":
            item["spec"]["template"]["spec"]["serviceAccountName"] = CLEANING
    return _text([namespace(CLEANING), _cleaner(agents), *restore], chart_digest)


def _cleaner(image: str) -> Manifest:
    """Undoes, by each node's own journal, what agents left there; its pod is Ready once it has."""
    labels = {
        "app.kubernetes.io/name": "node-cleaner",
        "app.kubernetes.io/part-of": "localregistry",
    }
    port = {"name": "status", "containerPort": 9808, "protocol": "TCP"}
    probe = {"httpGet": {"path": "/cleaned", "port": "status"}, "timeoutSeconds": 5}
    root = {"name": "host", "mountPath": "/host", "mountPropagation": "HostToContainer"}
    container = {
        "name": "cleaner",
        "image": image,
        "args": ["agent", "--clean"],
        "ports": [port],
        "readinessProbe": {**probe, "periodSeconds": 2},
        "resources": {"requests": {"cpu": "5m", "memory": "24Mi"}, "limits": {"memory": "96Mi"}},
        "securityContext": {
            "privileged": True,
            "runAsUser": 0,
            "runAsGroup": 0,
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [root],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostPID": True,
        "priorityClassName": "system-node-critical",
        "terminationGracePeriodSeconds": 10,
        "tolerations": [{"operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [container],
        "volumes": [{"name": "host", "hostPath": {"path": "/", "type": "Directory"}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "node-cleaner", "namespace": CLEANING, "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": "node-cleaner"}},
            "template": {"metadata": {"labels": dict(labels)}, "spec": pod},
        },
    }


def _text(documents: list[Manifest], chart_digest: str) -> str:
    body = yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=100)
    return f"{header(chart_digest)}---\n{body}"


def header(chart_digest: str) -> str:
    return f"# Generated by manifests/generate.py; do not edit.\n# Chart: {chart_digest}\n"


def files(rendered: str, chart_digest: str) -> dict[str, str]:
    """What lies in manifests/ for those who do without Helm, by its path there."""
    single = {f"{name}.yaml": made(rendered, chart_digest) for name, made in MADE.items()}
    base = kustomize.base(installed(rendered), header(chart_digest))
    return {**single, **{f"base/{name}": text for name, text in base.items()}}


MADE = {"install": install, "uninstall": uninstall, "clean-nodes": clean_nodes}
FILES = (
    *(f"{name}.yaml" for name in MADE),
    *(f"base/{name}" for name in kustomize.NAMES),
)
