"""Writes what is derived: parts of the chart, and the plain manifests that are made from it.

    python3 manifests/generate.py            write all of them
    python3 manifests/generate.py --check    write nothing, exit 1 where one is out of date

Of the chart: its versions, its copy of the CRD, the values in README.md, and what Artifact Hub
shows. install.yaml is what `helm template` makes of it without any value, without what only Helm
understands, and with a Namespace; base/ is the same for kustomize; uninstall.yaml is what the chart
runs before it is deleted; clean-nodes.yaml is for nodes whose operator is gone. Sources:
operator/localregistry/version.py, crds/, samples/ and the chart.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

# Run as a file, or loaded from one: either way its neighbours are found by their package's name.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from manifests import artifacthub, chartreadme, kustomize

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = "localregistry-system"
RELEASE = "localregistry"
CLEANING = "localregistry-clean"
HOOK = "helm.sh/hook"
# The oldest supported version: the chart's kubeVersion refuses what Helm assumes by itself.
KUBE_VERSION = "1.34.0"

Manifest = dict[str, Any]


class CannotGenerate(Exception):
    """A missing tool or source; the message says what to do."""


def version_of(source: str) -> str:
    """The VERSION that version.py assigns, read without importing the package."""
    found = re.search(r'^VERSION = "([^"]+)"$', source, re.MULTILINE)
    if not found:
        raise CannotGenerate("operator/localregistry/version.py assigns no VERSION")
    return found[1]


def with_version(chart_yaml: str, version: str) -> str:
    """Chart.yaml with both of its versions replaced and everything else as it was."""
    return re.sub(r"^(version|appVersion): .*$", rf"\1: {version}", chart_yaml, flags=re.MULTILINE)


def digest(chart: Path) -> str:
    """A fingerprint of the chart's files: names and content, in a stable order."""
    total = hashlib.sha256()
    for path in sorted(path for path in chart.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(chart).as_posix()} {content}\n".encode())
    return total.hexdigest()[:16]


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


def plain_files(rendered: str, chart_digest: str) -> dict[str, str]:
    """What lies in manifests/ for those who do without Helm, by its path there."""
    files = {f"{name}.yaml": made(rendered, chart_digest) for name, made in PLAIN.items()}
    base = kustomize.base(installed(rendered), header(chart_digest))
    return {**files, **{f"base/{name}": text for name, text in base.items()}}


PLAIN = {"install": install, "uninstall": uninstall, "clean-nodes": clean_nodes}
PLAIN_FILES = (
    *(f"{name}.yaml" for name in PLAIN),
    *(f"base/{name}" for name in kustomize.NAMES),
)


def helm_template(helm: str, chart: Path) -> str:
    """What the chart installs with its own defaults. Raises CannotGenerate with Helm's words."""
    command = [helm, "template", RELEASE, str(chart), "--namespace", NAMESPACE]
    command += ["--kube-version", KUBE_VERSION]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if result.returncode:
        raise CannotGenerate(f"helm template failed: {result.stderr.strip()}")
    return result.stdout


def chart_files(root: Path) -> dict[Path, str]:
    """The files of the chart, and of its documentation, that are derived in whole or in part."""
    chart, crd = root / "manifests/chart", root / "crds/localregistries.yaml"
    version = version_of((root / "operator/localregistry/version.py").read_text())
    values = (chart / "values.yaml").read_text()
    samples = [
        yaml.safe_load((root / f"manifests/samples/{name}.yaml").read_text())
        for name in artifacthub.SAMPLES
    ]
    shown = artifacthub.derived(
        yaml.safe_load(values), version, yaml.safe_load(crd.read_text()), samples
    )
    chart_yaml = chart / "Chart.yaml"
    pages = (chart / "README.md", root / "docs/installation.md")
    try:
        return {
            chart_yaml: artifacthub.with_annotations(
                with_version(chart_yaml.read_text(), version), shown
            ),
            chart / "files/localregistries.yaml": crd.read_text(),
            **{page: chartreadme.with_table(page.read_text(), values) for page in pages},
        }
    except (artifacthub.Unmarked, chartreadme.Unmarked) as error:
        raise CannotGenerate(str(error)) from None


def generate(root: Path, render: Callable[[Path], str], *, write: bool) -> list[Path]:
    """The derived files that were out of date; with `write` they no longer are.

    Where the chart's own derived files are out of date so are the plain manifests, and without
    `write` they are not rendered: the chart may not be fit for it.
    """
    chart = root / "manifests/chart"
    stale: list[Path] = []

    def settle(path: Path, wanted: str) -> None:
        if path.is_file() and path.read_text() == wanted:
            return
        stale.append(path)
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted)

    crd = root / "crds/localregistries.yaml"
    if not crd.is_file():
        raise CannotGenerate("crds/localregistries.yaml does not exist")
    for path, text in chart_files(root).items():
        settle(path, text)
    plain = [root / "manifests" / name for name in PLAIN_FILES]
    if stale and not write:
        return [*stale, *plain]
    for name, text in plain_files(render(chart), digest(chart)).items():
        settle(root / "manifests" / name, text)
    return stale


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Writes what is derived below manifests/.")
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 on a difference")
    parser.add_argument(
        "--helm",
        default=os.environ.get("HELM", "helm"),
        help="the helm program (default: $HELM, else helm on PATH)",
    )
    options = parser.parse_args(arguments)
    try:
        helm = shutil.which(options.helm)
        if helm is None:
            raise CannotGenerate(f"{options.helm} was not found: install Helm, or pass --helm PATH")
        stale = generate(ROOT, lambda chart: helm_template(helm, chart), write=not options.check)
    except CannotGenerate as error:
        print(f"generate.py: {error}", file=sys.stderr)
        return 2
    names = [str(path.relative_to(ROOT)) for path in stale]
    if options.check and names:
        print(
            f"Out of date: {', '.join(names)}. Run: python3 manifests/generate.py", file=sys.stderr
        )
        return 1
    print(f"Written: {', '.join(names)}" if names else "All up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
