"""Writes what is derived: parts of the chart, plain manifests made from it, pages of the reference.

    python3 manifests/generate.py            write all of them
    python3 manifests/generate.py --check    write nothing, exit 1 where one is out of date

Of the chart: its versions, its copy of the CRD, the values in README.md, and what Artifact Hub
shows. install.yaml is what `helm template` makes of it without any value, without what only Helm
understands, and with a Namespace; base/ is the same for kustomize; uninstall.yaml is what the chart
runs before it is deleted; clean-nodes.yaml is for nodes whose operator is gone. Of docs/reference:
fields.md, reasons.md and options.md. Sources: operator/localregistry, crds/, samples/, the chart.
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

import yaml

# Run as a file, or loaded from one: either way its neighbours are found by their package's name.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from manifests import artifacthub, chartreadme, plain, reference

ROOT = Path(__file__).resolve().parent.parent
RELEASE = "localregistry"
# The oldest supported version: the chart's kubeVersion refuses what Helm assumes by itself.
KUBE_VERSION = "1.34.0"


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


def helm_template(helm: str, chart: Path) -> str:
    """What the chart installs with its own defaults. Raises CannotGenerate with Helm's words."""
    command = [helm, "template", RELEASE, str(chart), "--namespace", plain.NAMESPACE]
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
    pages = (chart / "README.md", root / "docs/reference/chart-values.md")
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
    made = [root / "manifests" / name for name in plain.FILES]
    if stale and not write:
        return [*stale, *made]
    for name, text in plain.files(render(chart), digest(chart)).items():
        settle(root / "manifests" / name, text)
    try:
        for path, text in reference.files(root).items():
            settle(path, text)
    except reference.Unreadable as error:
        raise CannotGenerate(str(error)) from None
    return stale


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Writes what is derived below manifests/ and docs/."
    )
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
