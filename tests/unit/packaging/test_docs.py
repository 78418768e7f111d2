"""The documentation speaks of what there is: fields, reasons, values, versions, files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from documented import blocks
from localregistry.spec.reasons import Reason
from localregistry.trust import NodeReason
from localregistry.version import VERSION

Schema = dict[str, Any]

# Nothing is wrong, and nobody looks for it.
GOOD = {
    "Ready",
    "ClaimBound",
    "Ephemeral",
    "DeploymentAvailable",
    "IngressAdmitted",
    "IngressDisabled",
    "NodesConfigured",
    "Unmanaged",
    "Configured",
}
# As in a pod's spec, where they are documented.
OF_PODS = {"spec.resources", "spec.tolerations", "spec.affinity", "spec.nodeSelector"}

# The longest page that is read in one go.
MOST_LINES = 350


@pytest.fixture(scope="module")
def pages(root: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in blocks.pages(root)}


def leaves(node: Schema, path: str) -> Iterator[str]:
    """The fields of a schema that hold a value, as a user writes them."""
    items = node.get("items", {})
    if path in OF_PODS or not (node.get("properties") or items.get("properties")):
        yield path
        return
    suffix = "[]" if items else ""
    for name, child in (node.get("properties") or items["properties"]).items():
        yield from leaves(child, f"{path}{suffix}.{name}")


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_field_of_the_spec_is_on_the_api_page(root: Path, one: Any) -> None:
    [version] = one("CustomResourceDefinition")["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    page = (root / "docs/reference/api.md").read_text()
    missing = [path for path in leaves(schema, "spec") if f"`{path}" not in page]
    assert missing == []


def test_the_api_page_names_no_field_that_is_not_there(root: Path, one: Any) -> None:
    [version] = one("CustomResourceDefinition")["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    known = set(leaves(schema, "spec"))
    page = (root / "docs/reference/api.md").read_text()
    for path in re.findall(r"`(spec(?:\.[\w\[\]]+)+)", page):
        assert any(f"{field}.".startswith(f"{path}.") for field in known), path


@pytest.mark.parametrize("reasons", [Reason, NodeReason])
def test_every_reason_that_is_not_success_is_explained(root: Path, reasons: Any) -> None:
    page = (root / "docs/reference/troubleshooting.md").read_text()
    explained = set(re.findall(r"`([A-Z]\w+)`", page)) | set(re.findall(r"^### (\w+)$", page, re.M))
    assert {reason.value for reason in reasons} - GOOD - explained == set()


def test_no_reason_is_explained_that_does_not_exist(root: Path) -> None:
    page = (root / "docs/reference/troubleshooting.md").read_text()
    rows = re.findall(r"^\| ((?:`[A-Z]\w+`(?:, )?)+) (?:<!-- [^|]+ -->)? ?\|", page, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named
    assert named - {reason.value for reason in (*Reason, *NodeReason)} == set()


def test_every_variable_of_the_operator_is_on_its_page(root: Path) -> None:
    page = (root / "docs/reference/environment.md").read_text()
    source = (root / "operator/localregistry/controller/main.py").read_text()
    variables = set(re.findall(r"\$([A-Z][A-Z_]+)\]", source)) | set(
        re.findall(r'"--[a-z-]+", "([A-Z_]+)"', source)
    )
    # The pod's own names, which no user sets.
    for name in variables - {"POD_NAMESPACE", "POD_NAME"}:
        assert f"`{name}`" in page, name
    assert "AGENT_RESOURCES" in variables
    assert "LOG_LEVEL" in variables


def test_images_are_named_by_the_version_of_the_package(pages: dict[Path, str]) -> None:
    for path, text in pages.items():
        for version in re.findall(r"localregistry/(?:operator|agent):([\w.]+)", text):
            assert version == VERSION, path.name


def test_every_link_leads_somewhere(root: Path, pages: dict[Path, str]) -> None:
    broken = []
    for path, text in pages.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if link.startswith("https://"):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            found = target.exists() and (not anchor or anchor in anchors(target.read_text()))
            if not found:
                broken.append(f"{path.relative_to(root)}: {link}")
    assert broken == []


def test_no_page_is_too_long_to_be_read(pages: dict[Path, str]) -> None:
    assert [path.name for path, text in pages.items() if text.count("\n") > MOST_LINES] == []


def test_what_is_written_in_the_docs_of_make_is_there(root: Path, pages: dict[Path, str]) -> None:
    """Of `make X` within a sentence too; blocks are run by tests."""
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    for path, text in pages.items():
        assert set(re.findall(r"`make ([a-z-]+)`", text)) <= targets, path.name
