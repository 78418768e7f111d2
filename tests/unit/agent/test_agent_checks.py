"""What wakes an agent, how it looks after a node that is in order, and what that costs."""

from __future__ import annotations

import time

import pytest

from localregistry.agent.agent import CHECK_SECONDS, CLOSE_CHECK_SECONDS
from localregistry.agent.guest import Guest
from localregistry.agent.watch import Watch

from .looplab import FILE, Lab
from .standins import registry


def test_an_idle_agent_asks_nobody(lab: Lab) -> None:
    lab.tell(registry())
    lab.run()
    asked = list(lab.calls.asked)
    for _ in range(20):
        lab.run(CHECK_SECONDS)
    assert lab.calls.asked == asked
    assert len(lab.calls.pulls) == 1


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of the node that were read."""
    paths: list[str] = []
    read = Guest.read

    def counted(guest: Guest, path: str) -> bytes | None:
        paths.append(path)
        return read(guest, path)

    monkeypatch.setattr(Guest, "read", counted)
    return paths


def test_a_node_in_order_is_glanced_at_and_read_now_and_then(lab: Lab, reads: list[str]) -> None:
    lab.tell(*(registry(f"u{at}", f"r{at}.example") for at in range(9)))
    lab.run()
    lab.run(CHECK_SECONDS)
    reads.clear()
    for _ in range(int(CLOSE_CHECK_SECONDS / CHECK_SECONDS) - 1):
        lab.run(CHECK_SECONDS)
    assert reads == []
    lab.run(CHECK_SECONDS)
    assert set(reads) == {
        FILE.replace("registry.example.internal", f"r{at}.example") for at in range(9)
    }


@pytest.mark.parametrize("told", [True, False], ids=["by the kernel", "by a glance"])
@pytest.mark.parametrize("how", ["removed", "written"])
def test_drift_of_a_node_in_order_is_seen(
    lab: Lab, how: str, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.tell(registry())
    lab.run()
    lab.run(CHECK_SECONDS)
    good = lab.node.read(FILE)
    if not told:
        monkeypatch.setattr(Watch, "happened", lambda _: False)
    path = lab.node.root / FILE.lstrip("/")
    path.unlink() if how == "removed" else path.write_bytes((good or b"") + b"# more")
    assert lab.run(CHECK_SECONDS).exceptions == {}
    assert lab.node.read(FILE) == good


def test_a_new_start_of_the_runtime_is_seen_though_no_file_changed(lab: Lab) -> None:
    lab.tell(registry())
    lab.run()
    lab.run(CHECK_SECONDS)
    lab.node.process(77, "/usr/bin/containerd", start=2)
    lab.run(CHECK_SECONDS)
    assert len(lab.calls.pulls) == 2


def test_drift_is_repaired_within_ten_seconds(lab: Lab) -> None:
    lab.tell(registry())
    lab.run()
    (lab.node.root / FILE.lstrip("/")).unlink()
    assert lab.run(CHECK_SECONDS).exceptions == {}
    assert lab.node.read(FILE)
    assert len(lab.calls.pulls) == 1


def test_what_removes_the_whole_directory_is_repaired_at_once(lab: Lab) -> None:
    lab.tell(registry(), registry("u2", "other.example"))
    lab.run(1)
    lab.run()
    good = lab.node.snapshot()
    directory = lab.node.root / "etc/containerd/certs.d"
    for path in sorted(directory.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    directory.rmdir()
    lab.run()  # the event is seen
    assert lab.run(1.0).exceptions == {}
    assert lab.node.snapshot() == good


@pytest.mark.parametrize("mounted", [False, True], ids=["files", "a kubelet's volume"])
def test_news_wakes_the_agent_at_once(lab: Lab, mounted: bool) -> None:
    if mounted:
        # As the kubelet lays a volume out: the files are links into what `..data` points to.
        (lab.directory / "..first").mkdir()
        (lab.directory / "..data").symlink_to("..first")
        for name in ("trust.json", "task"):
            (lab.directory / name).symlink_to(f"..data/{name}")
    lab.restart()
    lab.agent.step()
    started = time.monotonic()
    lab.agent.wait()
    assert time.monotonic() - started > 1.9, "nothing happens yet"
    if mounted:
        (lab.directory / "..second").mkdir()
        (lab.directory / "..new").symlink_to("..second")
        (lab.directory / "..new").rename(lab.directory / "..data")
    else:
        lab.tell(registry())
    started = time.monotonic()
    lab.agent.wait()
    assert time.monotonic() - started < 1.9, "sooner than where nothing happens"
    lab.agent.step()
    lab.agent.close()
