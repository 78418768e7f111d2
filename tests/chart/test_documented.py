"""Commands of the documentation that render the chart."""

from __future__ import annotations

from pathlib import Path

import yaml

from chart.helms import HELMS, Helm, of_kind
from documented.runner import Documented, Shell, beside
from localregistry.version import VERSION


def shell(helms: dict[str, Helm], folder: Path) -> Shell:
    """Helm keeps nothing of this in the user's own folders."""
    helm = helms[HELMS[0]]
    names = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
    environment = {name: str(helm.home) for name in names}
    return Shell((helm.program.parent,), environment, beside(folder))


def test_all_images_come_from_the_mirror(
    documented: Documented, helms: dict[str, Helm], tmp_path: Path
) -> None:
    [ran] = documented.run(shell(helms, tmp_path))
    mirror = "mirror.example.internal"
    assert ran.said.split() == [
        f"{mirror}/library/registry:3.1.1",
        f"{mirror}/localregistry/agent:{VERSION}",
        f"{mirror}/localregistry/operator:{VERSION}",
    ]


def test_the_chart_is_rendered_for_a_repository(
    documented: Documented, helms: dict[str, Helm], tmp_path: Path
) -> None:
    documented.run(shell(helms, tmp_path))
    text = (tmp_path / "localregistry.yaml").read_text()
    assert of_kind(list(yaml.safe_load_all(text)), "Deployment")["spec"]["replicas"] == 2
    assert "helm.sh/hook" not in text
