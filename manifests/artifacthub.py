"""What Artifact Hub shows of the chart: annotations in Chart.yaml, from the sources of each."""

from __future__ import annotations

from typing import Any

import yaml

# From here on Chart.yaml is derived.
MARK = "  # Below: written by manifests/generate.py.\n"
SAMPLES = ("minimal", "full")


class Unmarked(Exception):
    """Chart.yaml has no place for the annotations."""


def images(values: dict[str, Any], version: str) -> list[dict[str, str]]:
    """The three images that an installation pulls."""
    found = {"operator": values["image"], "agent": values["agent"]["image"]}
    found["registry"] = values["registry"]["image"]
    return [
        {"name": name, "image": f"{image['repository']}:{image['tag'] or version}"}
        for name, image in found.items()
    ]


def crd(definition: dict[str, Any]) -> dict[str, str]:
    """The CustomResourceDefinition in a line, by the description of its newest version."""
    newest = definition["spec"]["versions"][-1]
    description = newest["schema"]["openAPIV3Schema"]["description"]
    return {
        "kind": definition["spec"]["names"]["kind"],
        "version": newest["name"],
        "name": definition["metadata"]["name"],
        "displayName": "Local registry",
        "description": " ".join(str(description).split()),
    }


def derived(
    values: dict[str, Any], version: str, definition: dict[str, Any], samples: list[dict[str, Any]]
) -> dict[str, str]:
    """Each value is YAML in a text, as Artifact Hub reads it."""
    return {
        "artifacthub.io/crds": _yaml([crd(definition)]),
        "artifacthub.io/crdsExamples": _yaml(samples),
        "artifacthub.io/images": _yaml(images(values, version)),
    }


def with_annotations(chart_yaml: str, shown: dict[str, str]) -> str:
    """Chart.yaml with what follows the mark replaced and everything else as it was."""
    if chart_yaml.count(MARK) != 1:
        raise Unmarked(f"manifests/chart/Chart.yaml must hold, last of its annotations: {MARK}")
    lines = []
    for name, text in shown.items():
        lines += [f"  {name}: |", *(f"    {line}" for line in text.splitlines())]
    return chart_yaml.partition(MARK)[0] + MARK + "\n".join(lines) + "\n"


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
