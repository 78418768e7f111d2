"""What the packaging tests read: the files as they are committed, no Helm and no cluster."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]

Manifest = dict[str, Any]


def _load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def manifests() -> list[Manifest]:
    """The documents of install.yaml, in their order."""
    return list(yaml.safe_load_all((ROOT / "manifests/install.yaml").read_text()))


@pytest.fixture(scope="session")
def one(manifests: list[Manifest]) -> Any:
    """The one document of a kind."""

    def find(kind: str) -> Manifest:
        found = [item for item in manifests if item["kind"] == kind]
        assert len(found) == 1, f"{len(found)} objects of kind {kind}"
        return found[0]

    return find


@pytest.fixture(scope="session")
def values() -> Manifest:
    loaded: Manifest = yaml.safe_load((ROOT / "manifests/chart/values.yaml").read_text())
    return loaded


@pytest.fixture(scope="session")
def load() -> Callable[[str], ModuleType]:
    """A script that lies outside of any package, as a module."""
    return _load


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    return _load("manifests/generate.py")
