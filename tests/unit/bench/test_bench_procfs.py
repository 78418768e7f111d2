"""What the measurements read in /proc: of texts, and of a process that is there."""

from __future__ import annotations

import re
import socket
import subprocess
import sys

import pytest

from bench import procfs

TEXT = """\
pid 4242
VmRSS:\t   17068 kB
RssAnon:\t    9564 kB
Threads:\t2
stat 4242 (py) th) on3) S 1 4242 4242 0 -1 4194560 3770 7288 9 0 7 5 16 3 20 0 2 0 1287992 17330 418
socket 700
socket 701
   0: 00000000:2650 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 700 1 0
   1: 0100007F:A000 0100600A:01BB 01 00000000:00000000 00:00000000 00000000     0        0 701 1 0
   2: 0100007F:A001 0100600A:01BB 01 00000000:00000000 00:00000000 00000000     0        0 999 1 0
"""


def test_memory_times_and_threads_are_read() -> None:
    found = procfs.read(TEXT)
    assert (found.pid, found.rss, found.anonymous, found.threads) == (4242, 17068, 9564, 2)
    assert (found.ticks, found.children) == (12, 19)


def test_connections_are_the_processes_own_and_no_listening_sockets() -> None:
    assert procfs.read(TEXT).peers == (("10.96.0.1", 443),)


def test_a_node_without_an_agent_is_no_measurement() -> None:
    with pytest.raises((ValueError, KeyError)):
        procfs.read("pid \n")


def test_millicores_are_of_the_window() -> None:
    assert procfs.millicores(100, 106, 60.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("family", "address"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")],
    ids=["IPv4", "IPv6"],
)
def test_a_real_process_is_seen_with_its_connection(
    family: socket.AddressFamily, address: str
) -> None:
    code = "import socket, time; s = socket.create_connection({}); time.sleep(60)"
    with socket.create_server((address, 0), family=family) as server:
        where = server.getsockname()[:2]
        process = subprocess.Popen([sys.executable, "-c", code.format(where)])
        try:
            server.accept()
            script = re.sub(r"\$\(pgrep .*\)", str(process.pid), procfs.SCRIPT)
            done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=True)
            found = procfs.read(done.stdout)
        finally:
            process.kill()
            process.wait()
    assert found.peers == ((address, where[1]),)
    assert 1024 < found.anonymous < found.rss


def test_the_agent_is_told_from_the_shell_that_looks_for_it() -> None:
    pattern = re.search(r"-x '(.*)'", procfs.SCRIPT)
    assert pattern is not None
    agent = "/opt/localregistry/bin/python3 -I -OO -m localregistry.cli agent"
    assert re.fullmatch(pattern[1], agent)
    assert not re.fullmatch(pattern[1], f"sh -ec {procfs.SCRIPT}")
    assert not re.fullmatch(pattern[1], f"sh -ec pgrep {agent}")
