"""One of two agents: writes the node's file again and again, with the node held.

    python3 -m agent_files.turns ROOT STATE NAME TURNS

Each turn notes its begin and end in a file that only the holder may touch, as a change of the
node's hosts file that takes some time.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from localregistry.agent import hostsblock
from localregistry.agent.guest import Guest
from localregistry.agent.paths import HostRoot
from localregistry.agent.state import Busy, State
from localregistry.trust import Probe, TrustedRegistry


def main() -> None:
    root, directory, name, turns = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    state = State(directory)
    guest = Guest(HostRoot(root), state.journal)
    host = f"{name}.example"
    registry = TrustedRegistry(name, "ns/x", (host,), "10.96.0.7", 80, Probe("x", "c", "m"))
    note = os.open(root / "turns", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    done, deadline = 0, time.monotonic() + 60
    while done < int(turns):
        if time.monotonic() > deadline:
            sys.exit("the other one never let go")
        try:
            with state.held():
                os.write(note, f"{name} begins\n".encode())
                for wanted in ([registry], []):
                    if (block := hostsblock.plan(guest, wanted)) is not None:
                        hostsblock.apply(guest, block)
                os.write(note, f"{name} ends\n".encode())
            done += 1
            time.sleep(0.001)
        except Busy:
            time.sleep(0.0005)


if __name__ == "__main__":
    main()
