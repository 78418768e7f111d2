"""`localregistry agent`: the process on each node."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from localregistry.agent import runtimes
from localregistry.agent.agent import Agent
from localregistry.agent.cleaning import Cleaning
from localregistry.agent.guest import Guest
from localregistry.agent.helper import Helper, Runtime
from localregistry.agent.inputs import Inputs
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Processes
from localregistry.agent.server import Answer, Server
from localregistry.agent.state import State
from localregistry.trust import AGENT_PORT

if TYPE_CHECKING:
    from argparse import ArgumentParser

# Name, default and help of each option that has a value; each falls back to LOCALREGISTRY_<NAME>.
OPTIONS = (
    ("host-root", "/host", "where the node's / is mounted"),
    ("trust-file", "/var/run/localregistry/trust/trust.json", "the document from the ConfigMap"),
    (
        "task-file",
        "/var/run/localregistry/pod/task",
        "this pod's task annotation; while it is empty nothing is done",
    ),
    ("state-dir", "", "the agent's own files; default: HOST_ROOT/var/lib/localregistry"),
    ("proc-root", "/proc", "the node's processes (hostPID)"),
    ("listen", "0.0.0.0", "address to answer on"),
    ("port", str(AGENT_PORT), "port to answer on"),
)

# A pass may wait 5 s for a reload, some seconds for /info and for helpers; not minutes.
STALLED_SECONDS = 120.0

# What `--once` gives pulls to succeed: the grace period of the verifier and a slow pull.
ONCE_SECONDS = 45.0


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0; with --once 1 where something could not be done, 2 where nothing was asked.

    With --clean nothing is asked: what agents left on the node is taken away, then the process
    stays and says so on /cleaned until it is stopped; with --once as well it ends.
    """
    options = read_options(sys.argv[1:] if argv is None else argv)
    # Directories that we make are read by daemons of other users too.
    os.umask(0o022)
    agent = build(options)
    if options.once:
        return _once(agent, clean=options.clean)
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopped.append(received))
    routes = {"/status": lambda: _status(agent), "/healthz": lambda: _health(agent)}
    if options.clean:
        routes["/cleaned"] = lambda: _cleaned(agent)
    server = Server(options.listen, options.port, routes)
    server.start()
    _log(f"answering on port {server.port}")
    while not stopped:
        agent.step()
        agent.wait()
    # Nothing is cleaned: an upgrade of the agent must not interrupt pulls.
    agent.close()
    server.server_close()
    return 0


def read_options(arguments: Sequence[str]) -> SimpleNamespace:
    """The command line; without one, as in the pod, no parser is brought into memory (0.4 MiB)."""
    if arguments or _variable("port") in os.environ:
        return SimpleNamespace(**vars(parser().parse_args(arguments)))
    values = {name: os.environ.get(_variable(name), default) for name, default, _ in OPTIONS}
    found = {name.replace("-", "_"): value for name, value in values.items()}
    return SimpleNamespace(**{**found, "port": AGENT_PORT, "once": False, "clean": False})


def parser() -> ArgumentParser:
    """Every option falls back to LOCALREGISTRY_<NAME>."""
    import argparse

    result = argparse.ArgumentParser(
        prog="localregistry agent",
        description="Makes this node pull from the cluster's registries, and proves it by a pull.",
    )

    def port(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) > 65535:
            raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
        return int(text)

    for name, default, text in OPTIONS:
        result.add_argument(
            f"--{name}",
            default=os.environ.get(_variable(name), default),
            type=port if name == "port" else str,
            help=f"{text} [{_variable(name)}]",
        )
    result.add_argument("--once", action="store_true", help="work until settled, print the report")
    result.add_argument(
        "--clean",
        action="store_true",
        help="take away what agents left on this node, by its own journal; asks for no document",
    )
    return result


def _variable(name: str) -> str:
    return f"LOCALREGISTRY_{name.replace('-', '_').upper()}"


def build(options: SimpleNamespace) -> Agent:
    """The agent that the options describe."""
    host = HostRoot(Path(options.host_root))
    return assemble(
        host=host,
        state_dir=Path(options.state_dir or host.resolve("/var/lib/localregistry")),
        trust_file=Path(options.trust_file),
        task_file=Path(options.task_file),
        processes=Processes(Path(options.proc_root)),
        calls=Helper(),
        clock=time.monotonic,
        log=_log,
        clean=options.clean,
    )


def assemble(
    *,
    host: HostRoot,
    state_dir: Path,
    trust_file: Path,
    task_file: Path,
    processes: Processes,
    calls: Runtime,
    clock: Callable[[], float],
    log: Callable[[str], None],
    clean: bool = False,
) -> Agent:
    """An agent of these parts; `clock` is monotonic seconds, `log` takes one line."""
    state = State(state_dir)
    guest = Guest(host, state.journal, log)
    return Agent(
        inputs=Cleaning(state) if clean else Inputs(trust_file, task_file, state.goal()),
        state=state,
        guest=guest,
        make_writer=lambda runtime: runtimes.writer(
            runtime, guest=guest, processes=processes, calls=calls, clock=clock
        ),
        calls=calls,
        alive=processes.alive,
        clock=clock,
        log=log,
    )


def _once(agent: Agent, *, clean: bool) -> int:
    deadline = time.monotonic() + ONCE_SECONDS
    agent.step()
    if not agent.report.revision:
        _log(agent.complaint or "there is no task, or it is of another revision than the document")
        return 2

    def done() -> bool:
        return agent.settled and (agent.traceless or not clean)

    while not done() and time.monotonic() < deadline:
        agent.wait()
        agent.step()
    agent.close()
    print(agent.report.to_json())
    if clean and not agent.traceless:
        _log(agent.complaint or "something of ours is still on this node")
        return 1
    return 1 if agent.report.exceptions else 0


def _status(agent: Agent) -> Answer:
    return 200, "application/json", agent.report.to_json() + "\n"


def _cleaned(agent: Agent) -> Answer:
    if agent.settled and agent.traceless:
        return 200, "text/plain", "nothing of ours is on this node\n"
    return 503, "text/plain", f"not yet {agent.complaint}".strip() + "\n"


def _health(agent: Agent) -> Answer:
    if time.monotonic() - agent.heartbeat > STALLED_SECONDS:
        return 503, "text/plain", "the agent's loop stands still\n"
    return 200, "text/plain", f"ok {agent.complaint}".strip() + "\n"


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
