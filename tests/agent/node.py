"""A node of these tests: a machine, its runtime, the registries' Services, and the agent."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import Signals
from typing import TypeVar

from agent import images, runtimes, snapshots
from agent.machine import Machine
from agent.matrix import Kind
from agent.runtimes import NotTrusted
from agent.store import Store
from localregistry.trust import Report, Task, TrustDocument, TrustedRegistry

ADDRESS, OTHER_ADDRESS = "10.96.0.7", "10.96.0.8"
NAME, OTHER_NAME = "registry.example.internal", "other.example.internal:5000"

# A change is proved within 2 s; a machine whose two cores are busy with other tests gets more.
SETTLE_SECONDS = 60.0

T = TypeVar("T")

_SERVICE = (
    *("-t", "nat", "-A", "OUTPUT", "-d", "10.96.0.0/12", "-p", "tcp"),
    *("-m", "multiport", "--dports", "80,443", "-j", "REDIRECT", "--to-ports", "5000"),
)

# Root without any capability, none to be had by a program either, and a root of its own that is
# read-only; the node's is another mount.
_LEAST = (
    *("unshare", "--mount", "--propagation=slave", "sh", "-c"),
    "mount -o remount,bind,ro / && exec "
    'setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"',
    "sh",
)

_REPOSITORY = Path(__file__).resolve().parents[2]


def registry(
    uid: str = "u1", *names: str, address: str = ADDRESS, port: int = 80
) -> TrustedRegistry:
    names = names or (NAME,)
    return TrustedRegistry(uid, f"ns/{uid}", names, address, port, images.probe(names[0], uid))


class Node:
    """All of it, started; `close` leaves nothing."""

    def __init__(self, kind: Kind, *, lower: Path, programs: Path, store: Store) -> None:
        self.kind = kind
        self.machine = Machine(lower)
        self._agent = 0
        self._agents = 0
        try:
            for address in (ADDRESS, OTHER_ADDRESS):
                self.machine.add_address(address)
            # As a Service does it: 80 and 443 lead to the registry's plain http port.
            self.machine.run("iptables", *_SERVICE, chroot=False)
            environment = store.environment(":5000")
            self.machine.spawn(store.command(), log="registry", chroot=False, env=environment)
            self.runtime = runtimes.make(self.machine, kind, programs)
            self.runtime.prepare()
            self.runtime.start()
            archive = self.machine.path("/tmp/local.tar")
            archive.write_bytes(store.archive)
            self.runtime.load(Path("/tmp/local.tar"))
            # As the kubelet reported it, when the runtime ran.
            self.reported = self.runtime.reported
            self.pristine = self.machine.files()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.machine.close()

    # What the operator does.

    def trust(self, *registries: TrustedRegistry, excluded: Sequence[str] = ()) -> str:
        """Writes trust document and task as the mounted volumes show them; gives the revision."""
        document = TrustDocument(registries)
        task = Task(document.revision, self.reported, tuple(excluded))
        for name, text in (("trust.json", document.to_json()), ("task", task.to_json())):
            path = self.machine.seen / "inputs" / name
            scratch = path.with_suffix(".new")
            scratch.write_text(text)
            scratch.rename(path)
        return document.revision

    # The agent, with the rights of its least privileged DaemonSet (`agent.privileged: false`) but
    # without its seccomp profile, or as the privileged one.

    privileged = False

    def start_agent(self) -> None:
        self._agents += 1
        base = self.machine.base
        python = [] if self.privileged else [*_LEAST]
        python += [sys.executable, "-m", "localregistry.cli", "agent"]
        options = {
            "host-root": base / "root",
            "proc-root": base / "root/proc",
            "trust-file": base / "inputs/trust.json",
            "task-file": base / "inputs/task",
            "listen": "127.0.0.1",
            "port": 9808,
        }
        argv = [*python, *(f"--{name}={value}" for name, value in options.items())]
        self._agent = self.machine.spawn(
            argv,
            log=f"agent-{self._agents}",
            chroot=False,
            env={"PYTHONPATH": str(_REPOSITORY / "operator"), "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def agent_proc(self, name: str) -> str:
        """A file of the agent's process, from /proc."""
        return self.machine.run("cat", f"/proc/{self._agent}/{name}")[1]

    def agent_pid(self) -> int:
        """As the tests see it."""
        return self.machine.outer_pid(self._agent)

    def agent_log(self) -> str:
        """What all agents of this node said."""
        return "".join(self.machine.log(f"agent-{n + 1}") for n in range(self._agents))

    def stop_agent(self, *, kill: bool = False) -> None:
        if self._agent:
            self.machine.end(self._agent, Signals.SIGKILL if kill else Signals.SIGTERM)
            self._agent = 0

    def report(self) -> Report | None:
        status, body = self.machine.get("http://127.0.0.1:9808/status")
        return Report.from_json(body) if status == 200 else None

    def settle(self, revision: str, seconds: float = SETTLE_SECONDS) -> Report:
        """Waits until the agent has worked through a revision. Fails with the last report."""

        def settled() -> Report | None:
            report = self.report()
            if report is None or report.revision != revision:
                return None
            waiting = [r for r in report.exceptions.values() if r.reason.value == "Pending"]
            return None if waiting else report

        return self.until(settled, seconds, f"revision {revision}")

    def until(self, ask: Callable[[], T | None], seconds: float, what: str) -> T:
        deadline = time.monotonic() + seconds
        while (answer := ask()) is None or answer is False:
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {seconds:.0f} s\n{self.story()}")
            time.sleep(0.05)
        return answer

    def apply(self, *registries: TrustedRegistry) -> Report:
        """Trust, and the agent's report once it is settled."""
        revision = self.trust(*registries)
        if not self._agent:
            self.start_agent()
        return self.settle(revision)

    def story(self) -> str:
        """What a failure needs: the agent's last words and report."""
        report = self.report()
        log = self.machine.log(f"agent-{self._agents}")[-3000:]
        return f"agent's log:\n{log}\nreport: {report and json.loads(report.to_json())}"

    # What is seen from outside.

    def trusts(self, name: str = NAME) -> bool:
        """By a real pull, as the kubelet's."""
        try:
            self.runtime.pull(f"{name}/{images.APP}")
        except NotTrusted:
            return False
        return True

    @property
    def trust_file(self) -> str:
        """What an agent writes for NAME."""
        if self.kind.graphdriver:
            return self.runtime.config_path
        return f"{self.runtime.certs_path}/{NAME}/hosts.toml"

    def writes(self) -> dict[str, tuple[int, int]]:
        """Inode and time of every file that agents may write: a rewrite shows, whatever it says."""
        found = {}
        for top in (self.machine.path("/etc"), self.machine.path("/var/lib/localregistry")):
            for path in sorted(top.rglob("*")):
                status = path.lstat()
                found[str(path)] = (status.st_ino, status.st_mtime_ns)
        return found

    def changes(self) -> dict[str, str]:
        """What is different from before any agent."""
        return snapshots.difference(self.pristine, self.machine.files())

    def check_runs(self) -> None:
        """The node is as good as before: its runtime starts anew, and runs a container."""
        self.runtime.restart()
        code, output = self.runtime.run_container()
        assert code == images.RAN, f"it ended with {code}: {output}"
