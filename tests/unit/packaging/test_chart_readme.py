"""The chart's README: its table is what values.yaml says, and says something of every value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests import artifacthub, chartreadme

VALUES = """\
# Of the file.
a:
  # Of nobody.
  b:
    # -- First line
    # and second | third.
    c: 1
  # -- All of d.
  d:
    e: {f: "x"}
# -- List.
g: []

# -- Lost by an empty line.

h: 1
"""


def leaves(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict) and value:
        return [leaf for name, child in value.items() for leaf in leaves(child, f"{path}.{name}")]
    return [path]


def test_a_value_is_told_with_its_path_its_default_and_its_comment() -> None:
    assert list(chartreadme.rows(VALUES)) == [
        ("a.b.c", "1", "First line and second | third."),
        ("a.d", '{"e": {"f": "x"}}', "All of d."),
        ("g", "[]", "List."),
    ]


def test_a_bar_in_a_comment_does_not_end_the_cell() -> None:
    assert r"| `a.b.c` | `1` | First line and second \| third. |" in chartreadme.table(VALUES)


def test_every_value_has_a_comment_of_its_own_or_of_what_it_belongs_to(
    root: Path, values: dict[str, Any]
) -> None:
    told = [
        name for name, _, _ in chartreadme.rows((root / "manifests/chart/values.yaml").read_text())
    ]
    for leaf in leaves(values):
        assert any(f"{leaf}.".startswith(f".{name}.") for name in told), leaf


@pytest.mark.parametrize("page", ["manifests/chart/README.md", "docs/reference/chart-values.md"])
def test_the_page_holds_the_table_of_the_values_as_they_are(root: Path, page: str) -> None:
    text = (root / page).read_text()
    wanted = chartreadme.with_table(text, (root / "manifests/chart/values.yaml").read_text())
    assert text == wanted, "run: python3 manifests/generate.py"


def test_what_is_written_by_hand_stays() -> None:
    text = f"before\n{chartreadme.BEGIN}\nold\n{chartreadme.END}\nafter\n"
    changed = chartreadme.with_table(text, VALUES)
    assert changed.startswith(f"before\n{chartreadme.BEGIN}\n| value |")
    assert changed.endswith(f"|\n{chartreadme.END}\nafter\n")
    assert "old" not in changed


@pytest.mark.parametrize("text", ["", chartreadme.BEGIN, f"{chartreadme.END}" * 2])
def test_a_page_without_its_marks_is_told(text: str) -> None:
    with pytest.raises(chartreadme.Unmarked, match="must hold <!-- values"):
        chartreadme.with_table(text, VALUES)


@pytest.fixture(scope="module")
def shown(root: Path) -> dict[str, Any]:
    chart = yaml.safe_load((root / "manifests/chart/Chart.yaml").read_text())
    return {
        name: yaml.safe_load(chart["annotations"][f"artifacthub.io/{name}"])
        for name in ("crds", "crdsExamples", "images", "changes")
    }


def test_artifact_hub_shows_the_crd_that_is_installed(shown: dict[str, Any], one: Any) -> None:
    definition = one("CustomResourceDefinition")
    [crd] = shown["crds"]
    assert (crd["name"], crd["kind"]) == (
        definition["metadata"]["name"],
        definition["spec"]["names"]["kind"],
    )
    assert {sample["kind"] for sample in shown["crdsExamples"]} == {crd["kind"]}


def test_artifact_hub_shows_the_images_that_are_pulled(shown: dict[str, Any], one: Any) -> None:
    [container] = one("Deployment")["spec"]["template"]["spec"]["containers"]
    pulled = {container["image"]} | {
        item["value"] for item in container["env"] if item["name"].endswith("_IMAGE")
    }
    assert {item["image"] for item in shown["images"]} == pulled


def test_artifact_hub_is_told_of_changes_in_words_that_it_knows(shown: dict[str, Any]) -> None:
    kinds = {"added", "changed", "deprecated", "removed", "fixed", "security"}
    assert {change["kind"] for change in shown["changes"]} <= kinds


def test_a_chart_without_the_mark_is_told() -> None:
    with pytest.raises(artifacthub.Unmarked, match=r"Chart\.yaml must hold"):
        artifacthub.with_annotations("annotations:\n", {})
