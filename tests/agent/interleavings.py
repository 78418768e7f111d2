"""Random sequences of what happens to a node, all from one seed."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from enum import StrEnum

from agent.node import NAME, OTHER_NAME, SETTLE_SECONDS, Node, registry
from localregistry.trust import TrustedRegistry

STEPS = 5

REGISTRIES = {NAME: registry("u1"), OTHER_NAME: registry("u2", OTHER_NAME, port=5000)}


class Step(StrEnum):
    """One thing that happens."""

    APPLY = "apply"
    WITHDRAW = "withdraw"
    EDIT = "administrator's edit"
    RESTART = "daemon restart"
    KILL = "agent kill -9"


@dataclass
class Story:
    """One interleaving on one node: what was done, and what must hold at its end."""

    node: Node
    seed: int
    done: list[str] = field(default_factory=list)
    edits: list[int] = field(default_factory=list)
    wanted: tuple[TrustedRegistry, ...] = ()

    def play(self) -> None:
        """Raises AssertionError with the seed and the steps."""
        random_ = random.Random(self.seed)
        try:
            self._write()
            self.node.start_agent()
            for _ in range(STEPS):
                step = random_.choice(list(Step))
                self.done.append(step.value)
                self._act(step, random_)
                time.sleep(random_.choice([0.0, 0.02, 0.1, 0.3, 0.7]))
            self._check()
            self.node.check_runs()
        except (AssertionError, RuntimeError) as error:
            raise AssertionError(f"seed {self.seed}: {', '.join(self.done)}\n{error}") from error

    def clean(self) -> None:
        """Withdraws all, and sees that the administrator's part is left and nothing else."""
        self.wanted = ()
        self._check()
        self.node.stop_agent()

    def _act(self, step: Step, random_: random.Random) -> None:
        match step:
            case Step.APPLY:
                names = random_.choice([[NAME], [OTHER_NAME], [NAME, OTHER_NAME]])
                self.wanted = tuple(REGISTRIES[name] for name in names)
                self._write()
            case Step.WITHDRAW:
                self.wanted = ()
                self._write()
            case Step.EDIT:
                self.edits.append(self._edit())
            case Step.RESTART:
                self.node.runtime.restart()
            case Step.KILL:
                self.node.stop_agent(kill=True)
                self.node.start_agent()

    def _write(self) -> str:
        return self.node.trust(*self.wanted)

    def _edit(self) -> int:
        """He adds a line to each file that he and the agent share."""
        number = 10 + len(self.edits)
        machine = self.node.machine
        hosts = machine.read("/etc/hosts") or b""
        machine.write("/etc/hosts", b"10.9.9.%d\tprinter-%d\n" % (number, number) + hosts)
        if self.node.kind.graphdriver:
            body = json.loads(machine.read(self.node.runtime.config_path) or b"{}")
            entries = body.setdefault("insecure-registries", [])
            entries.insert(0, f"mine-{number}.example")
            body["shutdown-timeout"] = number
            machine.write(self.node.runtime.config_path, json.dumps(body, indent=number % 5))
        else:
            machine.write(self._own(number), f'server = "http://10.9.9.{number}"\n')
        return number

    def _own(self, number: int) -> str:
        return f"{self.node.runtime.certs_path}/mine-{number}.example/hosts.toml"

    def _check(self) -> None:
        revision = self._write()

        def good() -> bool:
            # A daemon that was restarted under the agent's hands is tried again a moment later.
            report = self.node.report()
            return bool(report and report.revision == revision and not report.exceptions)

        self.node.until(good, SETTLE_SECONDS, "the end")
        for number in self.edits:
            assert self._kept(number), f"edit {number} is lost"
        for name, wanted in REGISTRIES.items():
            assert self.node.trusts(name) == (wanted in self.wanted), name

    def _kept(self, number: int) -> bool:
        machine = self.node.machine
        line = f"10.9.9.{number}\tprinter-{number}\n".encode()
        if line not in (machine.read("/etc/hosts") or b""):
            return False
        if not self.node.kind.graphdriver:
            content = machine.read(self._own(number))
            return content == f'server = "http://10.9.9.{number}"\n'.encode()
        body = json.loads(machine.read(self.node.runtime.config_path) or b"{}")
        listed = f"mine-{number}.example" in body["insecure-registries"]
        return listed and body["shutdown-timeout"] == self.edits[-1]
