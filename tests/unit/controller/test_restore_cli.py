"""`localregistry restore` as it is called: help with examples, and no cluster to restore."""

from __future__ import annotations

from pathlib import Path

import pytest

from localregistry import cli


def test_its_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["restore", "--help"])
    assert caught.value.code == 0
    assert "examples:\n  kubectl apply -f manifests/uninstall.yaml" in capsys.readouterr().out


def test_without_a_cluster_it_says_so_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(
        "kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none")
    )
    assert cli.main(["restore"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("localregistry restore: No cluster is configured: ")
    assert "$KUBECONFIG" in said
