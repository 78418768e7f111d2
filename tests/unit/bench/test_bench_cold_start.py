"""The control of the cold start."""

from __future__ import annotations

import yaml

from bench.cold_start import UID, bare_manifests


def test_bare_manifests_are_all_children_and_nobodys() -> None:
    text = bare_manifests("bare-0", "agent:1")
    children = list(yaml.safe_load_all(text))
    assert sorted(child["kind"] for child in children) == [
        "ConfigMap",
        "Deployment",
        "Ingress",
        "PersistentVolumeClaim",
        "Service",
    ]
    assert "agent:1" in text
    assert UID not in text
    assert all("ownerReferences" not in child["metadata"] for child in children)
    # The operator's watches would take them for its own.
    labels = [child["metadata"]["labels"] for child in children]
    assert all("app.kubernetes.io/managed-by" not in of_it for of_it in labels)
