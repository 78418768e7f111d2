"""The protocol that every writer keeps, on every runtime: real daemons, real pulls.

After each of these cases the fixture `node` restarts the runtime and runs a container.
"""

from __future__ import annotations

import time

import pytest

from agent.admin import HOSTS_TOML, MINE, Admin
from agent.node import (
    ADDRESS,
    NAME,
    OTHER_ADDRESS,
    OTHER_NAME,
    SETTLE_SECONDS,
    Node,
    registry,
)
from agent.runtimes import Docker
from localregistry.trust import NodeReason, Report


def done(report: Report) -> None:
    assert report.exceptions == {}


# From the start of its agent; what is promised, not what is reached.
NEW_NODE_SECONDS = 30.0


@pytest.mark.every_runtime
def test_a_registry_is_trusted_and_a_pull_proves_it(node: Node) -> None:
    """And that soon enough on a node that is new."""
    revision = node.trust(registry())
    node.start_agent()
    done(node.settle(revision, NEW_NODE_SECONDS))
    assert node.trusts()
    assert node.machine.read(node.trust_file) is not None


def test_without_the_agent_a_pull_fails(node: Node) -> None:
    """The control of all others."""
    node.trust(registry())
    assert not node.trusts()
    assert node.changes() == {}


def test_a_second_pass_writes_nothing(node: Node) -> None:
    done(node.apply(registry()))
    before = node.writes()
    node.stop_agent()
    node.start_agent()
    done(node.settle(node.trust(registry())))
    assert node.writes() == before


@pytest.mark.every_runtime
def test_withdrawal_leaves_no_trace_and_the_running_daemon_forgets(node: Node) -> None:
    trusted = node.runtime.insecure() if isinstance(node.runtime, Docker) else set()
    done(node.apply(registry()))
    done(node.apply())
    assert node.changes() == {}
    assert not node.trusts()
    if isinstance(node.runtime, Docker):
        # Loopback stays, which an empty list would take away on Docker 29.10.
        assert node.runtime.insecure() >= trusted
        assert NAME not in node.runtime.insecure()


@pytest.mark.every_runtime
def test_the_administrators_files_keep_every_byte(node: Node) -> None:
    admin = Admin(node)
    admin.settle_in()
    done(node.apply(registry()))
    if isinstance(node.runtime, Docker):
        assert MINE in node.runtime.insecure()
    if not node.kind.graphdriver:
        assert node.machine.read(admin.own_hosts_toml) == HOSTS_TOML.encode()
    done(node.apply())
    assert node.changes() == {}
    if isinstance(node.runtime, Docker):
        assert MINE in node.runtime.insecure()


def test_drift_is_repaired_within_ten_seconds(node: Node) -> None:
    done(node.apply(registry()))
    before = node.machine.read(node.trust_file)
    Admin(node).undo_ours()

    def repaired() -> bool:
        content = node.machine.read(node.trust_file)
        return content is not None and (content == before or NAME.encode() in content)

    node.until(repaired, 10, "repair")
    done(node.settle(node.trust(registry())))
    assert node.trusts()


def test_a_changed_address_is_followed(node: Node) -> None:
    done(node.apply(registry()))
    node.machine.remove_address(ADDRESS)
    done(node.apply(registry(address=OTHER_ADDRESS)))
    assert node.trusts()


def test_an_edit_of_the_administrator_meanwhile_is_kept(node: Node) -> None:
    admin = Admin(node)
    done(node.apply(registry()))
    admin.edit()
    done(node.apply(registry("u1"), registry("u2", OTHER_NAME)))
    assert node.trusts()
    assert admin.edited()
    done(node.apply())
    assert admin.edited()
    assert not node.trusts()
    for path in ("/etc/hosts", node.runtime.config_path):
        assert NAME.encode() not in (node.machine.read(path) or b"")


def test_of_two_writers_at_once_neither_loses_a_line(node: Node) -> None:
    """An administrator's tool that writes the same files all the time, while trust changes."""
    admin = Admin(node)
    node.start_agent()
    for number in range(24):
        if number % 6 == 0:
            node.trust(registry())
        elif number % 6 == 3:
            node.trust()
        admin.add(number)
        time.sleep(0.15)
    done(node.apply(registry()))
    assert node.trusts()
    assert admin.added() == set(range(24))
    done(node.apply())
    assert admin.added() == set(range(24))


def test_two_registries_come_and_go_apart(node: Node) -> None:
    first, second = registry("u1"), registry("u2", OTHER_NAME, address=OTHER_ADDRESS, port=5000)
    done(node.apply(first, second))
    assert (node.trusts(), node.trusts(OTHER_NAME)) == (True, True)
    done(node.apply(second))
    assert (node.trusts(), node.trusts(OTHER_NAME)) == (False, True)
    done(node.apply())
    assert node.changes() == {}


def test_somebody_elses_configuration_for_the_name_is_a_conflict_and_stays(node: Node) -> None:
    foreign = "/etc/hosts" if node.kind.graphdriver else node.trust_file
    node.machine.write(foreign, f"10.1.2.3 {NAME}\n" if node.kind.graphdriver else HOSTS_TOML)
    node.pristine = node.machine.files()
    report = node.apply(registry("u1"), registry("u2", OTHER_NAME))
    assert {uid: r.reason for uid, r in report.exceptions.items()} == {"u1": NodeReason.CONTENDED}
    assert foreign in report.exceptions["u1"].message
    assert node.trusts(OTHER_NAME)
    node.apply()
    assert node.changes() == {}


@pytest.mark.parametrize("delay", [0.15, 0.35])
def test_an_agent_killed_in_between_is_made_good(node: Node, delay: float) -> None:
    node.trust(registry())
    node.start_agent()
    time.sleep(delay)
    node.stop_agent(kill=True)
    done(node.apply(registry()))
    assert node.trusts()
    node.trust()
    time.sleep(delay)
    node.stop_agent(kill=True)
    done(node.apply())
    assert node.changes() == {}


def test_a_restart_of_the_runtime_by_the_administrator_is_followed(node: Node) -> None:
    done(node.apply(registry()))
    node.runtime.restart()
    assert node.trusts()
    revision = node.trust(registry(), registry("u2", OTHER_NAME))
    node.runtime.restart()
    done(node.settle(revision))
    assert (node.trusts(), node.trusts(OTHER_NAME)) == (True, True)


def test_a_node_that_was_off_during_the_withdrawal_cleans_itself(node: Node) -> None:
    done(node.apply(registry()))
    node.stop_agent()
    assert node.trusts()  # the end of an agent alone takes nothing away
    node.trust()
    node.start_agent()
    node.until(lambda: node.changes() == {}, 20, "clean")
    assert not node.trusts()


def test_a_node_that_leaves_the_selection_is_cleaned(node: Node) -> None:
    done(node.apply(registry()))
    done(node.settle(node.trust(registry(), excluded=["u1"])))
    node.until(lambda: node.changes() == {}, 20, "clean")
    assert not node.trusts()


def test_a_damaged_document_withdraws_nothing(node: Node) -> None:
    done(node.apply(registry()))
    document = node.machine.seen / "inputs/trust.json"
    for damage in (b"", b"{", b'{"format": 1, "registries": []}'):
        document.write_bytes(damage)
        node.until(
            lambda: "nothing is changed" in node.machine.get(HEALTH)[1], SETTLE_SECONDS, "complaint"
        )
        assert node.trusts()
    node.stop_agent()
    node.start_agent()
    node.until(
        lambda: "nothing is changed" in node.machine.get(HEALTH)[1], SETTLE_SECONDS, "complaint"
    )
    assert node.trusts()


HEALTH = "http://127.0.0.1:9808/healthz"


def test_containers_run_on_while_trust_comes_and_goes(node: Node) -> None:
    before = node.runtime.start_container()
    done(node.apply(registry()))
    done(node.apply())
    assert node.runtime.container() == before
    node.runtime.end_container()


def test_a_symbolic_link_is_followed_and_stays(node: Node) -> None:
    path = node.runtime.config_path if node.kind.graphdriver else node.runtime.certs_path
    node.machine.run("sh", "-c", LINK, "sh", path)
    if isinstance(node.runtime, Docker):
        node.runtime.restart()
    node.pristine = node.machine.files()
    done(node.apply(registry()))
    assert node.machine.run("readlink", path)[1].strip() == "/data/real"
    assert node.trusts()
    done(node.apply())
    assert node.changes() == {}


# The file or the directory is elsewhere, as on nodes whose /etc is not their own.
LINK = """
mkdir -p /data "$(dirname "$1")"
case "$1" in
*.json) echo '{"debug": false}' >/data/real ;;
*) mkdir /data/real; [ ! -d "$1" ] || rmdir "$1" ;;
esac
ln -s /data/real "$1"
"""


def test_a_read_only_etc_is_reported_and_nothing_else_happens(node: Node) -> None:
    node.machine.run("sh", "-c", "mount --bind /etc /etc && mount -o remount,ro,bind /etc")
    report = node.apply(registry())
    assert report.exceptions["u1"].reason is NodeReason.UNSUPPORTED
    node.apply()
    assert node.changes() == {}
