"""What keeps dockerd alive, shown on the real one: each gate, and what happens without it.

The controls do by hand what the agent does not do. Docker 23.0, 24.0 and 29.0 to 29.2, whose
reload has bugs of its own, cannot be had here: their gate is tested on its own.
"""

from __future__ import annotations

import json
import time
from signal import Signals

import pytest

from agent import plugin
from agent.conftest import only
from agent.node import NAME, SETTLE_SECONDS, Node, registry
from agent.runtimes import Docker
from localregistry.trust import NodeReason, NodeResult

OURS = json.dumps({"insecure-registries": [NAME, "127.0.0.0/8", "::1/128"]})

# dockerd takes 10 to 30 ms for a reload; what does not happen within this does not happen.
RELOAD_SECONDS = 1.0


def refused(node: Node, uid: str = "u1") -> NodeResult:
    """The agent's refusal of a registry; nothing on the node is different."""
    result = node.apply(registry(uid)).exceptions[uid]
    assert node.changes() == {}
    return result


def given(node: Node, content: str | bytes | None, *flags: str, restart: bool = True) -> Docker:
    """A node as its administrator has it: daemon.json and flags."""
    docker = node.runtime
    assert isinstance(docker, Docker)
    docker.flags = list(flags)
    if not restart:
        node.machine.write(docker.config_path, content)
    else:
        docker.stop()
        node.machine.write(docker.config_path, content)
        docker.start()
    node.pristine = node.machine.files()
    return docker


def hup(node: Node) -> None:
    node.machine.send(node.runtime.pid, Signals.SIGHUP)
    time.sleep(RELOAD_SECONDS)


def fails_to_start(node: Node) -> str:
    """The words with which dockerd does not start; it is stopped before."""
    if node.runtime.alive:
        node.runtime.stop()
    with pytest.raises(RuntimeError) as caught:
        node.runtime.start()
    return str(caught.value)


def mended(node: Node, content: str | None = None) -> None:
    """The administrator gives dockerd a file with which it starts."""
    node.machine.write(node.runtime.config_path, content)
    if not node.runtime.alive:
        node.runtime.start()


@only("graphdriver")
def test_a_flag_and_the_same_key_would_keep_docker_from_starting(node: Node) -> None:
    docker = given(node, None, "--insecure-registry=flag.example:5000")
    assert refused(node).reason is NodeReason.FLAG_CONFLICT
    # Without the gate:
    node.machine.write(docker.config_path, OURS)
    hup(node)
    assert NAME not in docker.insecure()
    assert "as a flag and in the configuration file" in fails_to_start(node)
    mended(node)


@only("graphdriver")
def test_a_flag_that_covers_the_address_needs_the_hosts_line_alone(node: Node) -> None:
    docker = given(node, None, "--insecure-registry=10.96.0.0/12")
    assert node.apply(registry()).exceptions == {}
    assert node.trusts()
    assert node.machine.read(docker.config_path) is None
    assert docker.signals() == 0
    node.apply()
    assert node.changes() == {}


@only("docker-20.10", "docker-28.5", "docker-29")
def test_a_reload_would_switch_off_an_authorization_plugin(node: Node) -> None:
    with plugin.running(node):
        docker = given(node, None, f"--authorization-plugin={plugin.NAME}")
        assert docker.api("GET", "/images/json")[0] == 403
        assert refused(node).reason is NodeReason.RELOAD_BLOCKED
        assert docker.api("GET", "/images/json")[0] == 403
        # Without the gate:
        node.machine.write(docker.config_path, "{}")
        hup(node)
        assert docker.api("GET", "/images/json")[0] == 200
        mended(node)
        docker.flags = []
        docker.restart()


@pytest.mark.long
@only("docker-26.1")
def test_a_reload_would_kill_docker_over_a_missing_plugin(node: Node) -> None:
    docker = given(node, '{"authorization-plugins": ["nosuch"]}', restart=False)
    assert refused(node).reason is NodeReason.RELOAD_BLOCKED
    assert docker.alive
    # Without the gate; dockerd looks for the plugin after 1, 2, 4 and 8 s.
    node.machine.send(docker.pid, Signals.SIGHUP)
    node.until(lambda: not docker.alive, SETTLE_SECONDS, "end of dockerd")
    assert 'plugin \\"nosuch\\" not found' in node.machine.log(docker.log)
    mended(node)


@only("graphdriver")
def test_a_signal_while_docker_starts_would_kill_it(node: Node) -> None:
    docker = node.runtime
    docker.stop()
    node.trust(registry())
    node.start_agent()
    node.until(lambda: node.report(), SETTLE_SECONDS, "agent")
    docker.start(wait=False)
    docker.wait()
    assert node.settle(node.trust(registry())).exceptions == {}
    assert docker.alive
    # Without the gate:
    node.stop_agent()
    docker.stop()
    docker.start(wait=False)
    time.sleep(0.03)
    node.machine.send(docker.pid, Signals.SIGHUP)
    node.until(lambda: not docker.alive, SETTLE_SECONDS, "end of dockerd")
    assert node.machine.exit_code(docker.pid) == 128 + Signals.SIGHUP
    docker.start()


# Found without asking dockerd, and told with its place.
NO_JSON = {
    "empty": (b"", "line 1 column 1"),
    "white space": (b" \n", "line 1 column 1"),
    "truncated": (b'{"debug": tr', "line 1 column 11"),
    "an array": (b"[]", "line 1 column 1"),
    "a comma too many": (b'{\n  "debug": false,\n}\n', "line 3 column 1"),
    "trailing garbage": (b'{"debug": false} }', "line 1 column 18"),
    "a duplicate key": (b'{"debug": true,\n "debug": false}', "line 2 column 2"),
    "a duplicate key inside": (b'{"log-opts": {"a": "1", "a": "2"}}', "line 1 column 25"),
    "a string for a list": (b'{"insecure-registries": "mine.example"}', "line 1 column 25"),
}
BROKEN = {
    "an unknown key": '{"no-such-option": 1}',
    "an entry with a path": '{"insecure-registries": ["mine.example/path"]}',
    "an empty entry": '{"insecure-registries": [""]}',
    "a mirror without a scheme": '{"registry-mirrors": ["mirror.example"]}',
}
INVALID = {NodeReason.FOREIGN_CONFIG_INVALID, NodeReason.ROLLED_BACK}
MARK = b"\xef\xbb\xbf"


@only("docker-20.10", "docker-26.1", "docker-29")
def test_a_file_that_is_no_json_is_left_alone_and_its_place_is_told(node: Node) -> None:
    docker = node.runtime
    assert isinstance(docker, Docker)
    for number, (what, (content, place)) in enumerate(NO_JSON.items()):
        given(node, content, restart=False)
        result = refused(node, f"u{number}")
        assert result.reason is NodeReason.FOREIGN_CONFIG_INVALID, what
        assert f"{docker.config_path} is left alone: {place}: " in result.message, what
        assert node.machine.read(docker.config_path) == content, what
    assert docker.signals() == 0
    assert NAME not in docker.insecure()
    mended(node)


@only("docker-20.10", "docker-26.1", "docker-29")
def test_a_byte_order_mark_stays_where_docker_takes_it(node: Node) -> None:
    old = node.kind.name == "docker-20.10"
    docker = given(node, MARK + b'{"debug": false}', restart=not old)
    if not old:
        assert node.apply(registry()).exceptions == {}
        assert node.trusts()
        assert (node.machine.read(docker.config_path) or b"").startswith(MARK + b'{"debug"')
        node.apply()
        assert node.changes() == {}
        return
    result = refused(node)
    assert result.reason is NodeReason.FOREIGN_CONFIG_INVALID
    assert "line 1 column 1: a byte order mark" in result.message
    assert docker.signals() == 0
    assert fails_to_start(node)
    mended(node)


@only("docker-20.10", "docker-26.1", "docker-29")
def test_a_file_that_docker_could_not_start_with_is_left_alone(node: Node) -> None:
    docker = node.runtime
    assert isinstance(docker, Docker)
    for what, content in BROKEN.items():
        given(node, content, restart=False)
        result = refused(node)
        assert result.reason in INVALID, what
        assert docker.config_path in result.message
        assert NAME not in docker.insecure(), what
        node.apply()
        node.stop_agent()
    mended(node)


@pytest.mark.parametrize("what", ["truncated", "an unknown key", "an entry with a path"])
@only("docker-20.10", "docker-28.5", "docker-29")
def test_docker_does_not_start_with_such_a_file(node: Node, what: str) -> None:
    """The control: none of this is the agent's doing."""
    given(node, BROKEN.get(what) or NO_JSON[what][0], restart=False)
    assert fails_to_start(node)
    mended(node)


@only("docker-20.10", "docker-28.5")
def test_a_duplicate_key_is_not_resolved_by_us(node: Node) -> None:
    docker = given(node, '{"debug": true, "debug": false}')  # dockerd takes the last
    result = refused(node)
    assert result.reason is NodeReason.FOREIGN_CONFIG_INVALID
    assert "line 1 column 17: the key 'debug' stands there twice" in result.message
    assert docker.signals() == 0


@only("docker-20.10")
def test_docker_20_takes_our_entry_and_then_cannot_start_over_a_bad_mirror(node: Node) -> None:
    both = {"registry-mirrors": ["mirror.example"], **json.loads(OURS)}
    docker = given(node, json.dumps(both), restart=False)
    hup(node)
    assert NAME in docker.insecure()
    assert fails_to_start(node)
    mended(node)


@only("graphdriver")
def test_another_option_as_flag_and_in_the_file_is_found_before(node: Node) -> None:
    docker = given(node, None, "--label=a=b")
    node.machine.write(docker.config_path, '{"labels": ["c=d"]}')
    node.pristine = node.machine.files()
    assert refused(node).reason is NodeReason.FOREIGN_CONFIG_INVALID
    assert "as a flag and in the configuration file" in fails_to_start(node)
    mended(node)


@only("graphdriver")
def test_a_key_taken_away_and_an_empty_list_are_not_the_same(node: Node) -> None:
    """Why withdrawal takes two steps: the running daemon keeps what a key that is gone said."""
    docker = given(node, OURS)
    assert NAME in docker.insecure()
    node.machine.write(docker.config_path, "{}")
    hup(node)
    assert NAME in docker.insecure()
    node.machine.write(docker.config_path, '{"insecure-registries": ["127.0.0.0/8", "::1/128"]}')
    hup(node)
    assert NAME not in docker.insecure()
    mended(node)


@only("docker-20.10", "docker-28.5")
def test_a_nested_dockerd_is_never_signalled(node: Node) -> None:
    docker = given(node, None)
    node.machine.path("/tmp/none.json").write_text("{}")
    options = ["--data-root=/tmp/nested", "--exec-root=/run/nested", "--pidfile=/run/nested.pid"]
    options += ["--host=unix:///run/nested.sock", "--bridge=none", "--iptables=false"]
    options += ["--ip6tables=false", "--config-file=/tmp/none.json"]
    if node.kind.suite == "bookworm":
        options.append("--oom-score-adjust=0")
    node.machine.spawn(["unshare", "--pid", "--fork", "dockerd", *options], log="nested")
    sock = "unix:///run/nested.sock"
    ask = ("docker", "--host", sock, "info", "--format", "{{.RegistryConfig.IndexConfigs}}")
    node.until(
        lambda: node.machine.run(*ask, check=False)[0] == 0, SETTLE_SECONDS, "nested dockerd"
    )
    assert node.apply(registry()).exceptions == {}
    assert NAME in docker.insecure()
    assert NAME not in node.machine.run(*ask)[1]
    assert "reload" not in node.machine.log("nested")
