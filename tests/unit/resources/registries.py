"""LocalRegistries for the tests of what is rendered from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from localregistry.resources.config import OperatorConfig
from localregistry.spec.registry import LocalRegistry
from unit.spec.bodies import UID, body

SAMPLES = Path(__file__).resolve().parents[3] / "manifests" / "samples"
CONFIG = OperatorConfig()


def registry(spec: dict[str, Any] | None = None, *, name: str = "dev") -> LocalRegistry:
    return LocalRegistry.from_body(body(spec, name=name))


def sample(name: str) -> LocalRegistry:
    """One of manifests/samples, as the API server would hold it."""
    raw = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    metadata = {"namespace": "registries", "uid": UID} | raw["metadata"]
    return LocalRegistry.from_body(raw | {"metadata": metadata})
