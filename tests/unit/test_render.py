"""`localregistry render`, as it is called."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from localregistry import render
from unit.spec.bodies import UID, body

_NO_UID_COMMENT = "which has no metadata.uid"


def _file(directory: Path, *documents: Any) -> str:
    path = directory / "cr.yaml"
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return str(path)


def _kinds(text: str) -> list[str]:
    return [document["kind"] for document in yaml.safe_load_all(text)]


def test_the_children_are_printed_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render.main(["-f", _file(tmp_path, body())]) == 0
    printed = capsys.readouterr()
    assert _kinds(printed.out) == [
        "ConfigMap",
        "PersistentVolumeClaim",
        "Deployment",
        "Service",
        "Ingress",
    ]
    assert UID in printed.out
    assert _NO_UID_COMMENT not in printed.out
    assert printed.err == ""


def test_several_files_and_a_list_as_kubectl_prints_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    off = {"ingress": {"enabled": False}, "storage": {"ephemeral": True}}
    listed = {"kind": "List", "items": [body(off, name="a"), body(off, name="b")]}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(listed)))
    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    assert render.main(["-f", "-", "-f", _file(tmp_path, other, None, body(off))]) == 0
    names = [one["metadata"]["name"] for one in yaml.safe_load_all(capsys.readouterr().out)]
    assert names == ["a-registry"] * 3 + ["b-registry"] * 3 + ["dev-registry"] * 3


def test_what_the_cluster_would_add_is_filled_in_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = body()
    raw["metadata"] = {"name": "dev"}
    assert render.main(["-f", _file(tmp_path, raw), "-n", "team"]) == 0
    printed = capsys.readouterr().out
    assert _NO_UID_COMMENT in printed
    assert {one["metadata"]["namespace"] for one in yaml.safe_load_all(printed)} == {"team"}


def test_the_operators_image_can_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render.main(["-f", _file(tmp_path, body()), "--registry-image", "mirror/r:3"]) == 0
    assert "image: mirror/r:3\n" in capsys.readouterr().out


def test_a_time_without_quotes_is_text_as_the_api_server_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cr.yaml"
    raw = yaml.safe_dump(body()).replace("'2026-01-02T03:04:05Z'", "2026-01-02T03:04:05Z")
    assert "Timestamp: 2026" in raw
    path.write_text(raw)
    assert render.main(["-f", str(path)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (json.dumps(body({"host": "http://x"})), "spec.host must be without a scheme"),
        (json.dumps(body({"storage": {}})), "spec.storage must have exactly one of size"),
        (json.dumps(body() | {"metadata": []}), "metadata must be an object, not a list"),
        (json.dumps(body() | {"spec": None}), "spec.host is required"),
        ("a: [", "is not YAML"),
        ("[" * 5000, "cannot be read as YAML"),
        ("kind: Pod", "no LocalRegistry in"),
        ("", "no LocalRegistry in"),
        ("\x00", "is not YAML"),
    ],
)
def test_bad_input_is_told_and_nothing_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    good, bad = _file(tmp_path, body()), tmp_path / "bad.yaml"
    bad.write_text(text)
    files = [str(bad)] if "no LocalRegistry" in sentence else [good, str(bad)]
    assert render.main([part for name in files for part in ("-f", name)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("localregistry render: ")
    assert sentence in printed.err


def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render.main(["-f", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml: No such file" in capsys.readouterr().err


def test_bytes_that_are_no_text_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\xff")
    assert render.main(["-f", str(tmp_path / "x.yaml")]) == 1
    assert "x.yaml cannot be read as YAML" in capsys.readouterr().err
