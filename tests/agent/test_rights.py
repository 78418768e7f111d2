"""All tests of this folder run the agent with the rights of its least privileged DaemonSet."""

from __future__ import annotations

import os

from agent.conftest import only
from agent.node import Node, registry
from localregistry.trust import NodeReason


@only("docker-29-store")
def test_the_agent_has_no_right_that_its_least_privileged_pod_has_not(node: Node) -> None:
    assert node.apply(registry()).exceptions == {}
    status = dict(line.split(":", 1) for line in node.agent_proc("status").splitlines())
    rights = {name: int(value, 16) for name, value in status.items() if name.startswith("Cap")}
    assert rights == dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Uid"].split() == ["0"] * 4
    mounts = [line.split() for line in node.agent_proc("mountinfo").splitlines()]
    # Fields: ID, parent, device, root, mount point, options.
    (own,) = [fields for fields in mounts if fields[4] == "/"]
    assert "ro" in own[5].split(",")


@only("docker-20.10")
def test_a_file_of_another_owner_is_left_alone_where_it_could_not_be_given_back(node: Node) -> None:
    path = node.machine.path("/etc/docker/daemon.json")
    path.write_text('{"debug": false}')
    os.chown(path, 1000, 1000)
    node.pristine = node.machine.files()
    result = node.apply(registry()).exceptions["u1"]
    assert result.reason is NodeReason.UNSUPPORTED
    assert "/etc/docker/daemon.json may not be written" in result.message
    node.apply()
    assert node.changes() == {}
    node.stop_agent()
    node.privileged = True
    assert node.apply(registry()).exceptions == {}
    assert (path.stat().st_uid, path.stat().st_gid) == (1000, 1000)
    node.apply()
    assert node.changes() == {}
