"""Docker's own files, on the real one: what is made, shared, bound and rolled back."""

from __future__ import annotations

import json
import time
from functools import partial

import pytest

from agent.conftest import only
from agent.node import NAME, SETTLE_SECONDS, Node, registry
from agent.runtimes import Docker
from localregistry.trust import NodeReason, NodeResult


@only("graphdriver")
def test_daemon_json_is_made_where_there_is_none_with_our_key_alone(node: Node) -> None:
    path = node.machine.path("/etc/docker/daemon.json")
    assert not path.exists()
    assert node.apply(registry()).exceptions == {}
    status = path.stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o644, 0, 0)
    body = json.loads(path.read_bytes())
    # Docker 29.10 trusts loopback no longer by itself where the key is there.
    assert body.keys() == {"insecure-registries"}
    assert set(body["insecure-registries"]) == {NAME, "127.0.0.0/8", "::1/128"}
    assert node.apply().exceptions == {}
    assert not path.exists()


REFUSED = b'{"no-such-option": 1}'


def given_what_docker_refuses(node: Node) -> Docker:
    """A pending edit of the administrator: the running daemon goes on, and takes no reload."""
    docker = node.runtime
    assert isinstance(docker, Docker)
    node.machine.write(docker.config_path, REFUSED)
    node.pristine = node.machine.files()
    return docker


def as_before(node: Node, docker: Docker) -> None:
    """Not a byte is different, the running daemon's trust included."""
    assert node.machine.read(docker.config_path) == REFUSED
    assert NAME not in docker.insecure()
    assert not node.trusts()
    assert docker.alive


def rolled_back(node: Node, docker: Docker) -> str:
    """Trust that dockerd does not take: it is signalled and undone; the node's message."""
    result = node.apply(registry()).exceptions["u1"]
    assert docker.signals() == 2, "one of the change, one of the way back"
    assert result.reason is NodeReason.ROLLED_BACK
    assert f"did not take the change of {docker.config_path}, which was undone" in result.message
    return result.message


@only("graphdriver")
def test_what_docker_refuses_to_reload_in_silence_is_rolled_back(node: Node) -> None:
    """A signal has no answer: only /info tells that it did nothing."""
    docker = given_what_docker_refuses(node)
    message = rolled_back(node, docker)
    # Without CAP_SYS_CHROOT, as here, nobody can ask for its words.
    assert "look at its log" in message
    as_before(node, docker)
    node.apply()
    assert node.changes() == {}
    node.machine.write(docker.config_path, None)


@only("graphdriver")
def test_what_docker_would_refuse_is_told_in_its_words_before_a_signal(node: Node) -> None:
    docker = given_what_docker_refuses(node)
    node.privileged = True  # the words need CAP_SYS_CHROOT
    result = node.apply(registry()).exceptions["u1"]
    if node.kind.name == "docker-20.10":  # which cannot be asked for them
        assert result.reason is NodeReason.ROLLED_BACK
        assert docker.signals() == 2
    else:
        assert result.reason is NodeReason.FOREIGN_CONFIG_INVALID
        assert "no-such-option" in result.message
        assert docker.signals() == 0
    assert docker.config_path in result.message
    as_before(node, docker)
    node.apply()
    assert node.changes() == {}
    node.machine.write(docker.config_path, None)


# The first question finds no fault, as one that takes longer than an agent waits.
NO_FIRST_ANSWER = """
touch /run/dockerd.real && mount --bind "$1" /run/dockerd.real
printf '#!/bin/sh\nmkdir /run/asked 2>/dev/null && exit\nexec /run/dockerd.real "$@"\n' >/run/asks
chmod +x /run/asks && mount --bind /run/asks "$1"
"""


@pytest.mark.every_runtime
@only("docker-26.1")
def test_what_docker_refused_is_rolled_back_and_told_in_its_words(node: Node) -> None:
    docker = given_what_docker_refuses(node)
    node.privileged = True  # the words need CAP_SYS_CHROOT
    node.machine.run("sh", "-euc", NO_FIRST_ANSWER, "sh", "/usr/sbin/dockerd")
    message = rolled_back(node, docker)
    assert "no-such-option" in message
    as_before(node, docker)
    node.apply()
    assert node.changes() == {}
    node.machine.run("umount", "/usr/sbin/dockerd")
    node.machine.write(docker.config_path, None)


@only("graphdriver")
def test_a_bound_hosts_file_is_written_in_place(node: Node) -> None:
    """As in a kind node, where a rename over /etc/hosts is refused."""
    node.machine.run("sh", "-c", "cp /etc/hosts /tmp/bound && mount --bind /tmp/bound /etc/hosts")
    node.pristine = node.machine.files()
    inode = node.machine.path("/etc/hosts").stat().st_ino
    assert node.apply(registry()).exceptions == {}
    assert node.trusts()
    assert node.apply().exceptions == {}
    assert node.changes() == {}
    assert node.machine.path("/etc/hosts").stat().st_ino == inode


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "killed"])
@only("graphdriver")
def test_a_docker_that_was_down_is_configured_when_it_is_back(node: Node, stopped: bool) -> None:
    docker = node.runtime
    if stopped:
        docker.stop()
    else:
        node.machine.run("sh", "-c", f"kill -9 {docker.pid}")
        node.until(lambda: not docker.alive, SETTLE_SECONDS, "end of dockerd")
    revision = node.trust(registry())
    node.start_agent()

    def told() -> NodeResult | None:
        # An agent answers before its first look at what it is told.
        report = node.report()
        return report.exceptions.get("u1") if report else None

    assert node.until(told, SETTLE_SECONDS, "the report").reason is NodeReason.PENDING
    node.machine.path("/run/docker.pid").unlink(missing_ok=True)
    docker.start()
    assert node.settle(revision).exceptions == {}
    assert node.trusts()


@pytest.mark.long
@only("graphdriver")
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted before", "new"])
def test_a_file_that_is_broken_and_mended_again_and_again_is_followed(
    node: Node, trusted: bool
) -> None:
    """By a rename, as editors write, and in place, as a shell does: there it is empty at first."""
    path = node.runtime.config_path
    node.machine.write(path, '{"debug": false}')
    node.runtime.restart()
    assert node.apply(*[registry()] if trusted else []).exceptions == {}
    good = node.machine.read(path) or b""
    # No more signals are sent within a minute than six.
    for number in range(24 if trusted else 5):
        write = node.machine.path(path).write_bytes if number % 2 else partial(_edit, node)
        broken = (b"{ this is no JSON", b'["a", "list"]', b'{"a": 1, "a": 2}')[number % 3]
        write(broken)
        revision = node.trust(registry(f"u{1 if trusted else number % 3 + 1}"))
        node.until(partial(_told, node, revision, False), 10, f"{number}: broken")
        assert node.machine.read(path) == broken
        time.sleep(number * 0.13 % 1)
        write(good)
        node.until(partial(_told, node, revision, True), 10, f"{number}: mended")
        if not trusted:
            assert node.apply().exceptions == {}
            assert node.machine.read(path) == good


def _edit(node: Node, content: bytes) -> None:
    node.machine.write(node.runtime.config_path, content)


def _told(node: Node, revision: str, good: bool) -> bool:
    report = node.report()
    if report is None or report.revision != revision:
        return False
    reasons = {result.reason for result in report.exceptions.values()}
    return reasons == (set() if good else {NodeReason.FOREIGN_CONFIG_INVALID})
