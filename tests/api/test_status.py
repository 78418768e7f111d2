"""`localregistry status` by the least rights, against a real API server, engine and operator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from api.apiserver import ApiServer
from api.lab import Lab, open_lab
from api.people import READER, Person, behind_service, outward, push
from localregistry.trust import NodeReason, NodeResult

pytestmark = pytest.mark.ux

MUTATING = {"create", "update", "patch", "delete", "deletecollection"}
WORDS = "Its containerd has no config_path."


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        opened.start_operator()
        opened.add_node("node-a", address=outward())
        broken = opened.add_node("node-b")
        broken.exceptions = lambda document: {
            entry.uid: NodeResult(NodeReason.CONFIG_PATH_MISSING, WORDS)
            for entry in document.registries
        }
        opened.apply("dev")
        opened.bring_up("dev")
        opened.wait_for("dev", "NodesReady", "NodesFailing")
        yield opened


def document(person: Person, *arguments: str) -> Any:
    done = person.run("status", *arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_of_one_registry_is_told_by_rights_to_read_alone(lab: Lab) -> None:
    reader = Person.with_rights(lab.api, lab.namespace, "reader", *READER)
    address = behind_service(lab, "dev")
    digest = push(address, lab.registry_port, "team/app", "1", b"x" * 3_000_000)
    push(address, lab.registry_port, "web", "latest", b"y" * 100)
    found = document(reader, "dev", "-n", lab.namespace)
    assert found["reason"] == "NodesFailing"
    assert {c["type"]: c["status"] for c in found["conditions"]}["RegistryAvailable"] == "True"
    nodes = {node["name"]: node for node in found["nodes"]["items"]}
    assert nodes["node-a"]["reason"] == "Configured"
    assert nodes["node-b"] == {
        "name": "node-b",
        "runtime": "containerd",
        "version": "1.7.24",
        "reason": "ConfigPathMissing",
        "message": WORDS,
    }
    assert found["storage"]["claim"] == "dev-registry"
    assert "problem" not in found["catalogue"], found["catalogue"]
    tags = {f"{tag['repository']}:{tag['tag']}": tag for tag in found["catalogue"]["tags"]}
    assert set(tags) == {"team/app:1", "web:latest"}
    assert tags["team/app:1"]["digest"] == digest
    assert 3_000_000 < tags["team/app:1"]["size"] < 3_001_000
    assert tags["team/app:1"]["pushed"].endswith("Z")
    assert found["catalogue"]["notes"] == []
    asked = [event["verb"] for event in reader.asked(lab.api)]
    assert asked
    assert not MUTATING & set(asked)


def test_lists_are_for_people_and_for_programs(lab: Lab) -> None:
    reader = Person.with_rights(lab.api, lab.namespace, "reader", *READER)
    lines = reader.run("status", "-n", lab.namespace).stdout.splitlines()
    assert lines[0].split() == ["NAME", "HOST", "READY", "NODES", "USED", "AGE", "REASON"]
    assert lines[1].split()[:4] == ["dev", "dev.example.internal", "False", "1/2"]
    rows = [line.split()[:2] for line in reader.run("status", "-A").stdout.splitlines()]
    assert [lab.namespace, "dev"] in rows
    [one] = yaml.safe_load(reader.run("status", "-n", lab.namespace, "-o", "yaml").stdout)
    assert one["host"] == "dev.example.internal"


def test_what_the_rights_do_not_reach_is_told_and_the_rest_is_shown(lab: Lab) -> None:
    poor = Person.with_rights(lab.api, lab.namespace, "poor", READER[0])
    done = poor.run("status", "dev", "-n", lab.namespace)
    assert done.returncode == 0, done.stderr
    assert "NodesFailing" in done.stdout
    assert "Nodes were not listed: You may not do that: nodes is forbidden" in done.stdout
    assert "The right is `get` on `services/proxy`." in done.stdout


def test_agents_are_asked_where_the_status_does_not_account_for_all(lab: Lab) -> None:
    lab.nodes["node-a"].silent = True
    lab.apply("new")
    lab.bring_up("new")
    lab.wait_for("new", "NodesReady", "NodesFailing")
    rules = (("", "pods", "list"), ("", "pods/proxy", "get"))
    admin = Person.with_rights(lab.api, lab.namespace, "admin", *READER, *rules)
    arguments = ("new", "-n", lab.namespace, "--no-catalogue")
    found = document(admin, *arguments, "--agent-port", str(lab.agent_port))
    reasons = {node["name"]: node["reason"] for node in found["nodes"]["items"]}
    assert reasons == {"node-a": "Pending", "node-b": "ConfigPathMissing"}
    assert found["nodes"]["notes"] == []
    reader = Person.with_rights(lab.api, lab.namespace, "reader", *READER)
    found = document(reader, *arguments)
    assert {node["reason"] for node in found["nodes"]["items"]} == {"Unknown", "ConfigPathMissing"}
    assert "Agents were not asked" in found["nodes"]["notes"][0]
