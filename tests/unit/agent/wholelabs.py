"""One node per runtime, each with a whole agent whose memory is on the node."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from localregistry.agent import runtimes
from localregistry.agent.agent import CHECK_SECONDS, Agent
from localregistry.agent.guest import Guest
from localregistry.agent.inputs import Inputs
from localregistry.agent.paths import HostRoot
from localregistry.agent.state import State
from localregistry.agent.writer import Plan
from localregistry.trust import Report, Task, TrustDocument, TrustedRegistry

from .labs import RuntimeLab, SignalledLab

STATE = "var/lib/localregistry"


class WholeLab(RuntimeLab):
    """A node of one runtime with a whole agent, whose memory is on the node."""

    def __init__(self, directory: Path, label: str) -> None:
        self.plans = 0
        super().__init__(directory, label)
        self.path("/var/lib").mkdir()
        self.before = self.node.snapshot()
        self.untouched = self.fingerprint()

    def restart_agent(self) -> None:
        super().restart_agent()
        state = State(self.node.root / STATE)
        guest = Guest(HostRoot(self.node.root), state.journal)
        processes = SignalledLab(self)

        def make(runtime: str) -> runtimes.AnyWriter:
            made = runtimes.writer(
                runtime, guest=guest, processes=processes, calls=self.calls, clock=self.clock
            )
            plan = made.plan

            def counted(*arguments: Any) -> Plan:
                self.plans += 1
                result: Plan = plan(*arguments)
                return result

            object.__setattr__(made, "plan", counted)
            return made

        self.agent = Agent(
            inputs=Inputs(self.directory / "trust.json", self.directory / "task", state.goal()),
            state=state,
            guest=guest,
            make_writer=make,
            calls=self.calls,
            alive=processes.alive,
            clock=self.clock,
            log=lambda _: None,
        )

    def tell(self, *wanted: TrustedRegistry, excluded: tuple[str, ...] = ()) -> str:
        document = TrustDocument(wanted)
        task = Task(document.revision, self.kind.runtime, excluded)
        for name, text in (("trust.json", document.to_json()), ("task", task.to_json())):
            (self.directory / f"{name}.new").write_text(text)
            (self.directory / f"{name}.new").rename(self.directory / name)
        return document.revision

    def run(self, seconds: float = 2.0) -> Report:
        left = seconds
        while left > 0:
            tick = 1.0 if seconds - left < 2 else CHECK_SECONDS
            self.clock.now += tick
            left -= tick
            for _ in range(4):
                self.agent.step()
        return self.agent.report

    def fingerprint(self, *, memory: bool = True) -> dict[str, tuple[object, ...]]:
        """Everything on the node: names, contents, modes, owners, inodes and times; without the
        agent's `memory`, directories that hold it included, only the files of others."""
        found: dict[str, tuple[object, ...]] = {}
        for path in [self.node.root, *sorted(self.node.root.rglob("*"))]:
            name = str(path.relative_to(self.node.root))
            if not memory and (name.startswith(STATE) or STATE.startswith(name) or name == "."):
                continue
            status = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            times = status.st_mtime_ns, status.st_ctime_ns
            found[name] = (status.st_mode, status.st_uid, status.st_gid, status.st_ino, *times)
            found[name] += (content,)
        return found
