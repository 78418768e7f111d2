"""The commands of the page about the command line, on a registry that is ready."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.apiserver import REPOSITORY, ApiServer
from api.lab import Lab, open_lab
from api.operators import deployed
from documented.runner import Documented, Ran, Shell, beside

pytestmark = pytest.mark.ux

HERE = Path(sys.executable).parent


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        with deployed(api):
            opened.start_operator()
            opened.add_node("node-a")
            opened.apply("dev")
            opened.bring_up("dev")
            opened.wait_for("dev", "NodesReady", "NodesConfigured")
            yield opened


def test_a_registry_is_shown_waited_for_and_examined(
    documented: Documented, lab: Lab, tmp_path: Path
) -> None:
    changed = lab.get("localregistries.localregistry.dev", "dev")
    changed["spec"]["host"] = "new.example.internal"
    (tmp_path / "dev.yaml").write_text(yaml.safe_dump(changed))
    environment = {
        "KUBECONFIG": str(lab.api.kubeconfig),
        "PYTHONPATH": str(REPOSITORY / "operator"),
    }
    where = Shell((HERE,), environment, tmp_path)
    here = {"-n registries": f"-n {lab.namespace}"}

    everything, one = documented.run(where, replace=here)[0].said.split("Conditions:")
    assert "dev.example.internal" in everything
    assert "node-a" in one
    [waited] = documented.run(where, replace=here)
    assert "is ready" in waited.said
    # It finds what this stage lacks, an Ingress controller above all: an answer all the same.
    answered = {"localregistry doctor": "localregistry doctor || [ $? != 2 ]"}
    [examined] = documented.run(where, replace=answered)
    assert "SEVERITY" in examined.said
    differs = {"localregistry diff dev.yaml": "localregistry diff dev.yaml || [ $? = 1 ]"}
    [compared] = documented.run(where, replace=differs)
    assert "+  - host: new.example.internal" in compared.said


def test_completion_is_written_for_each_shell(documented: Documented, tmp_path: Path) -> None:
    for folder in (".local/share/bash-completion/completions", ".config/fish/completions"):
        (tmp_path / folder).mkdir(parents=True)
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY / "operator")}
    # bash, which runs the page here, has no `fpath`.
    documented.run(Shell((HERE,), environment), replace={"${fpath[1]}": str(tmp_path)})
    written = [path for path in tmp_path.rglob("*localregistry*") if path.is_file()]
    assert len(written) == 3
    assert all("doctor" in path.read_text() for path in written)


def test_the_command_line_is_installed(documented: Documented, tmp_path: Path) -> None:
    """Resolved and built, and not put over what this run itself works with."""
    folder = tmp_path / "place"
    folder.mkdir()
    dry = {"pip install": f"{sys.executable} -m pip install --dry-run --no-deps"}
    environment = {"PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(tmp_path / "pip"))}
    [ran] = documented.run(Shell(environment=environment, folder=beside(folder)), replace=dry)
    assert said(ran) == "localregistry-operator"


def said(ran: Ran) -> str:
    """The package that pip would install."""
    [line] = [line for line in ran.said.splitlines() if line.startswith("Would install")]
    return line.split()[2].rpartition("-")[0]
