"""Programs that are built with Go source of ours in a module's place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kind import gomodules, settings, shell

GO_MOD = """module ours

require (
	a.b/whole v1.0.0
	a.b/part v1.2.3 // indirect
)

replace (
	a.b/part => ./part
	a.b/whole => ./whole
)
"""


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """Knows one module, and where it is kept: read-only, as Go keeps them."""
    kept = write(
        tmp_path / "kept",
        go_dot_mod="module a.b/part\n",
        near__near_dot_go="package near\n",
        deep__dns__theirs_dot_go="package dns\n",
        deep__dns__more__more_dot_go="package more\n",
    )
    for path in (kept, *kept.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    program = tmp_path / "go"
    answer = json.dumps({"Dir": str(kept)})
    asked = "mod download -json a.b/part@v1.2.3"
    program.write_text(f"#!/bin/sh\n[ \"$*\" = '{asked}' ] || exit 1\necho '{answer}'\n")
    program.chmod(0o755)
    return program


def group(folder: Path) -> Path:
    return write(
        folder / "group",
        go_dot_mod=GO_MOD,
        go_dot_sum="",
        whole__go_dot_mod="module a.b/whole\n",
        whole__whole_dot_go="package whole\n",
        part__deep__dns__ours_dot_go="package dns\n",
    )


def test_a_package_of_ours_stands_in_a_copy_of_its_module(tmp_path: Path, go: Path) -> None:
    source = group(tmp_path)
    with gomodules.completed(source, go, tmp_path / "scratch") as folder:
        assert folder != source
        found = {str(p.relative_to(folder / "part")) for p in (folder / "part").rglob("*.*")}
        assert found == {"go.mod", "near/near.go", "deep/dns/ours.go"}
        assert (folder / "whole/whole.go").read_text() == "package whole\n"
    assert not folder.exists()
    assert list((tmp_path / "scratch").iterdir()) == []
    assert [path.name for path in (source / "part").rglob("*.go")] == ["ours.go"]


def test_a_group_without_source_is_built_where_it_is(tmp_path: Path, go: Path) -> None:
    source = write(tmp_path / "plain", go_dot_mod="module plain\n", go_dot_sum="")
    with gomodules.completed(source, go, tmp_path / "scratch") as folder:
        assert folder == source
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("require a.b/part v1.2.3\n", id="not replaced"),
        pytest.param("replace a.b/part => ./part\n", id="not required"),
        pytest.param("require a.b/part v1.2.3\nreplace a.b/part => ./parts\n", id="elsewhere"),
    ],
)
def test_a_folder_in_no_modules_place_stops_the_build(text: str) -> None:
    with pytest.raises(shell.Failed, match=r"\./part in no module's place"):
        gomodules.replaced(text, "part")


def test_only_traefik_has_source_of_ours() -> None:
    groups = sorted((settings.HERE / "go").iterdir())
    found = {path.name: [own.name for own in gomodules.own_folders(path)] for path in groups}
    assert {name: own for name, own in found.items() if own} == {"traefik": ["ext", "lego"]}
