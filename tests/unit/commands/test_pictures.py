"""The docs' pictures of the command line are what it prints: `pytest --update-golden` draws."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from localregistry.commands import doctor, waiting
from localregistry.commands.agents import Agents
from localregistry.commands.pending import Pending
from localregistry.commands.screen import Part
from localregistry.trust import NodeReason
from unit.commands.examples import NOW, condition, node
from unit.commands.pictures import drawn
from unit.commands.surveys import agent, children, survey
from unit.commands.test_view import failing_node
from unit.golden import assert_file

pytestmark = pytest.mark.ux

DOCS = Path(__file__).resolve().parents[3] / "docs"

FLAG = (
    "dockerd is started with --insecure-registry 10.0.0.0/16, so that it refuses the same key in "
    "/etc/docker/daemon.json. Add --insecure-registry registry.example.internal (or a CIDR that "
    "holds 10.96.12.7) to its command line, or move the flags into the file."
)
FULL = (
    "The volume is full: pushes fail with a 500, pulls go on. Raise spec.storage.size, which is "
    "20Gi"
)


def pending() -> list[Part]:
    left = [
        Pending("RegistryAvailable", "DeploymentProgressing", "The registry's pod is starting"),
        Pending("NodesReady", "NodesPending", "1/3 nodes can pull; waiting for node-b, node-c"),
        Pending("node node-b", "Pending", "Its pull is under way"),
        Pending("node node-c", "Pending", "Its agent has not worked through what it was told."),
    ]
    return [waiting.table("9s of 5m", left)]


def findings() -> list[Part]:
    seen = survey(children(condition("StorageReady", "True", "StorageFull", FULL)))
    seen.nodes = [node("node-a"), node("node-b", "docker://28.5.2")]
    conflict = agent("node-b", NodeReason.FLAG_CONFLICT, FLAG)
    seen.agents = Agents({"node-a": agent("node-a"), "node-b": conflict})
    found = doctor.examine(seen, now=NOW)
    return [*doctor.on_terminal(found), doctor.conclusion(found)]


PICTURES: dict[str, tuple[str, Callable[[], list[Part]]]] = {
    "status": ("localregistry status dev -n registries", failing_node),
    "wait": ("localregistry wait dev -n registries --timeout 5m", pending),
    "doctor": ("localregistry doctor", findings),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_what_the_command_prints(request: pytest.FixtureRequest, name: str) -> None:
    command, parts = PICTURES[name]
    picture = drawn(f"cli-{name}", command, parts())
    assert_file(request, DOCS / f"images/cli-{name}.svg", picture)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_asks_nobody_for_anything_and_is_shown_with_words(name: str) -> None:
    parts = list(ElementTree.parse(DOCS / f"images/cli-{name}.svg").iter())
    for part in parts:
        assert part.tag.rpartition("}")[2] not in ("image", "script", "foreignObject", "use")
        assert [
            value for value in part.attrib.values() if re.search(r"://|url\((?!#)", value)
        ] == []
        if part.tag.endswith("style"):
            assert not re.search(r"url\(|@import|@font-face", part.text or "")
    page = (DOCS / "reference/cli.md").read_text(encoding="utf-8")
    (words,) = re.findall(rf"^!\[(.+)\]\(\.\./images/cli-{name}\.svg\)$", page, re.MULTILINE)
    assert len(words.split()) > 5
