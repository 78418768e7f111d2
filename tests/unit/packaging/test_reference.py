"""The pages of the reference that are made: they are as their sources say, and what they hold."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from localregistry.spec.reasons import Reason
from localregistry.trust import NodeReason
from manifests import commandline, reference

CRD = {
    "spec": {
        "versions": [
            {
                "schema": {
                    "openAPIV3Schema": {
                        "properties": {
                            "spec": {
                                "required": ["host"],
                                "properties": {
                                    "host": {
                                        "type": "string",
                                        "description": "A | name.",
                                        "x-kubernetes-validations": [{"message": "must be short"}],
                                    },
                                    "ways": {
                                        "type": "array",
                                        "default": [],
                                        "items": {
                                            "type": "object",
                                            "properties": {"how": {"enum": ["Up", ""]}},
                                        },
                                    },
                                },
                            },
                            "status": {"properties": {"n": {"type": "integer"}}},
                        }
                    }
                }
            }
        ]
    }
}


@pytest.fixture(scope="module")
def pages(root: Path) -> dict[str, str]:
    return {path.name: text for path, text in reference.files(root).items()}


@pytest.mark.parametrize("name", ["fields.md", "reasons.md", "options.md"])
def test_each_page_is_as_its_source_says(root: Path, pages: dict[str, str], name: str) -> None:
    written = (root / reference.FOLDER / name).read_text()
    assert written == pages[name], "run: make manifests"


def test_each_reason_is_listed_once_with_when_it_is_used(pages: dict[str, str]) -> None:
    rows = [line for line in pages["reasons.md"].splitlines() if line.startswith("| `")]
    listed = [row.split("`")[1] for row in rows]
    assert sorted(listed) == sorted(reason.value for reason in (*Reason, *NodeReason))


def test_each_command_has_its_options_and_none_that_is_hidden(pages: dict[str, str]) -> None:
    page = pages["options.md"]
    for command in ("run", "agent", "usage", "restore", "render"):
        assert f"\n## localregistry {command}\n" in page
    assert "| `--host-policy HOST_POLICY` |" in page
    assert "| `--force` |" in page
    for hidden in ("--agent-port", "--help"):
        assert f"`{hidden}" not in page


def test_a_field_tells_its_type_its_default_and_its_rules() -> None:
    assert [line for line in reference.fields(CRD).splitlines() if line.startswith("| `")] == [
        "| `spec.host` | string | | Required. A \\| name. Rules: must be short. |",
        "| `spec.ways` | list of object | `[]` | |",
        '| `spec.ways[].how` | `Up`, `""` | | |',
        "| `status.n` | integer | | |",
    ]


def test_a_reason_without_its_comment_is_an_error() -> None:
    source = 'class Reason(StrEnum):\n    ONE = "One"  # once\n    TWO = "Two"\n'
    with pytest.raises(reference.Unreadable, match="TWO"):
        reference.reasons(source, source.replace("Reason", "NodeReason"))


def test_a_package_that_is_not_there_or_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(reference.Unreadable, match="does not exist"):
        reference.commands(tmp_path)
    broken = tmp_path / "operator/localregistry"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('broken')")
    with pytest.raises(reference.Unreadable, match="broken"):
        reference.commands(tmp_path)


def test_a_command_below_a_parser_of_several_has_its_own_options() -> None:
    several = argparse.ArgumentParser()
    commands = several.add_subparsers(dest="command")
    commands.add_parser("one").add_argument("--first")
    commands.add_parser("two")
    assert commandline.below(several, "one")._option_string_actions.keys() >= {"--first"}
    assert commandline.below(several, "three") is several


@pytest.mark.parametrize(
    ("arguments", "options", "name"),
    [
        (("--port",), {"type": int}, "--port PORT"),
        (("-f", "--file"), {"metavar": "FILE"}, "-f, --file FILE"),
        (("--once",), {"action": "store_true"}, "--once"),
        (("-o",), {"choices": ["json", "yaml"]}, "-o {json,yaml}"),
        (("name",), {"nargs": "?"}, "[NAME]"),
    ],
)
def test_an_option_is_named_as_it_is_written(
    arguments: tuple[str, ...], options: dict[str, Any], name: str
) -> None:
    action = argparse.ArgumentParser().add_argument(*arguments, **options)
    assert commandline.name_of(action) == name
