"""containerd's own traps, shown on the real one: each gate, and what happens without it."""

from __future__ import annotations

import re
from signal import Signals

from agent.admin import HOSTS_TOML
from agent.conftest import only
from agent.node import ADDRESS, NAME, SETTLE_SECONDS, Node, registry
from agent.runtimes import Containerd
from localregistry.trust import NodeReason, Report

OURS = f'server = "http://{ADDRESS}"\n[host."http://{ADDRESS}"]\n'


def given(node: Node, *lines: str) -> Containerd:
    """A node whose containerd has these lines in its registry table."""
    containerd = node.runtime
    assert isinstance(containerd, Containerd)
    node.machine.write(containerd.config_path, containerd.config(lines))
    containerd.restart()
    node.pristine = node.machine.files()
    return containerd


@only("containerd")
def test_a_signal_would_kill_containerd(node: Node) -> None:
    """Which is why it never gets one."""
    node.machine.send(node.runtime.pid, Signals.SIGHUP)
    node.until(lambda: not node.runtime.alive, SETTLE_SECONDS, "end of containerd")
    assert node.machine.exit_code(node.runtime.pid) == 128 + Signals.SIGHUP
    node.runtime.start()


@only("containerd-1.6", "containerd-1.7", "containerd-2.1")
def test_without_a_config_path_the_line_that_is_named_helps(node: Node) -> None:
    containerd = given(node)
    result = node.apply(registry()).exceptions["u1"]
    assert result.reason is NodeReason.CONFIG_PATH_MISSING
    assert node.changes() == {}
    # Without the gate: the file is ignored.
    node.machine.write(node.trust_file, OURS)
    assert not node.trusts()
    node.machine.run("rm", "-r", f"{containerd.certs_path}/{NAME}")
    done = Report(node.trust(registry()), containerd.reported)
    # The administrator does as he is told, and the agent goes on.
    told = re.search(r'(\[plugins\.\S+\]) (config_path = "\S+")', result.message)
    assert told, result.message
    assert told[1].replace("'", '"') in containerd.config()
    given(node, told[2])
    node.until(lambda: node.report() == done, 20, "the agent takes note")
    assert node.trusts()


@only("containerd-1.6", "containerd-1.7", "containerd-2.1", "containerd-2.4")
def test_legacy_mirrors_are_never_joined_by_a_config_path(node: Node) -> None:
    mirror = '[{}.mirrors."mine.example"]\n    endpoint = ["http://10.1.2.3:5000"]'
    containerd = given(node, "")
    table = re.search(r"\[(plugins\.\S+registry)\]", containerd.config())
    assert table
    lines = mirror.format(table[1])
    given(node, lines)
    result = node.apply(registry()).exceptions["u1"]
    assert result.reason is NodeReason.CONFIG_PATH_MISSING
    assert "mirrors" in result.message
    assert node.changes() == {}
    # Without the gate: the node's kubelet loses its runtime.
    both = containerd.config(('config_path = "/etc/containerd/certs.d"', lines))
    node.machine.write(containerd.config_path, both)
    containerd.stop()
    pid = containerd.launch()
    node.until(
        lambda: "cannot be set when" in node.machine.log(containerd.log),
        SETTLE_SECONDS,
        "complaint",
    )
    assert not containerd.serving()
    node.machine.end(pid)
    given(node, 'config_path = "/etc/containerd/certs.d"')


@only("containerd")
def test_somebody_elses_malformed_file_harms_his_name_alone(node: Node) -> None:
    theirs = f"{node.runtime.certs_path}/mine.example/hosts.toml"
    node.machine.write(theirs, HOSTS_TOML[:-9])
    node.pristine = node.machine.files()
    assert node.apply(registry()).exceptions == {}
    assert node.trusts()
    node.apply()
    assert node.changes() == {}


@only("hosts.toml")
def test_a_directory_cleared_by_somebody_else_is_filled_again(node: Node) -> None:
    """As Spegel and older k3s do at each of their starts."""
    assert node.apply(registry()).exceptions == {}
    node.machine.run("rm", "-r", node.runtime.certs_path)
    node.until(lambda: node.machine.read(node.trust_file) is not None, 10, "repair")
    assert node.settle(node.trust(registry())).exceptions == {}
    assert node.trusts()
    node.apply()
    assert not node.trusts()
