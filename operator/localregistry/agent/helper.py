"""The short-lived helper process that speaks to the runtime, seen from the agent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

PULL_SECONDS = 30.0

# Start of a Python process on a loaded node, and three status calls around the pull.
_MARGIN_SECONDS = 15.0

# -I keeps the environment out. As optimized as this process: the image has its modules compiled
# for that alone, and a process that compiles them anew has 4 MiB more.
PYTHON = (sys.executable, "-I", *["-O"] * sys.flags.optimize)

# The package is found where this very process found it.
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from localregistry.agent.cri import main; sys.exit(main(sys.argv[1:]))"
)
_ROOT = str(Path(__file__).parents[2])


class Running(Protocol):
    """A call under way."""

    def fileno(self) -> int: ...

    def result(self) -> Mapping[str, Any]: ...

    def cancel(self) -> None: ...


class Runtime(Protocol):
    """Calls to a CRI socket. The real one starts processes; tests have their own."""

    def ask(self, verb: str, socket: Path) -> Mapping[str, Any]: ...

    def probe(self, socket: Path, image: str, config: str, manifest: str) -> Running: ...


class Call:
    """One helper process. `fileno` becomes readable when it is done."""

    def __init__(self, args: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [*PYTHON, "-c", _BOOT, _ROOT, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def result(self, seconds: float = _MARGIN_SECONDS) -> Mapping[str, Any]:
        """`{"ok": …}` or `{"error": …}`; waits, and ends the process at the latest then."""
        try:
            output, _ = self._process.communicate(timeout=seconds)
            body = json.loads(output)
            if isinstance(body, dict) and (body.keys() & {"ok", "error"}):
                return body
        except subprocess.TimeoutExpired:
            self.cancel()
            return _error("no answer in time")
        except ValueError:
            pass
        return _error(f"the helper process ended with code {self._process.returncode}")

    def cancel(self) -> None:
        self._process.kill()
        self._process.communicate()


class Helper:
    """`Runtime` by helper processes."""

    def ask(self, verb: str, socket: Path) -> Mapping[str, Any]:
        return Call([verb, str(socket)]).result()

    def probe(self, socket: Path, image: str, config: str, manifest: str) -> Call:
        return Call(["probe", str(socket), image, config, manifest, str(PULL_SECONDS)])


# After this long a probe is given up, whatever the helper does.
PROBE_LIMIT_SECONDS = PULL_SECONDS + _MARGIN_SECONDS


def _error(message: str) -> dict[str, Any]:
    return {"error": {"kind": "call", "code": 4, "message": message}}
