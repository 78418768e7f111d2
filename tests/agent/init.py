"""PID 1 of a test's node: `python -I init.py`, with requests and answers as lines of JSON.

It starts what it is told to start, inside of the node's root or beside it, and reaps what is
orphaned. It runs on the machine's Python and imports nothing of the project. When its standard
input ends the node ends: the kernel kills all of a PID namespace with its PID 1.
"""

import contextlib
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ended: dict[int, int] = {}


def spawn(request: Mapping[str, Any]) -> dict[str, Any]:
    """Starts a process; `root` is the directory to chroot to, "" for none."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    pid = os.fork()
    if pid:
        os.close(log)
        return {"pid": pid}
    try:
        os.setsid()
        # Ignored by whom `nohup` has started, and so by all that they start.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        if request["root"]:
            os.chroot(request["root"])
            os.chdir("/")
        argv = request["argv"]
        os.execvpe(argv[0], argv, request["env"])
    except OSError as error:
        os.write(2, f"{request['argv'][0]}: {error}\n".encode())
    finally:
        os._exit(127)


def run(request: Mapping[str, Any]) -> dict[str, Any]:
    """Starts a process and waits for it; -1 is the code of one that took more than `seconds`."""
    log = Path(request["log"])
    log.unlink(missing_ok=True)
    pid = spawn(request)["pid"]
    deadline = time.monotonic() + request["seconds"]
    while (code := poll({"pid": pid})["code"]) is None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            code = -1
            break
        time.sleep(0.005)
    return {"code": code, "output": log.read_text(errors="replace")}


def poll(request: Mapping[str, Any]) -> dict[str, Any]:
    """The exit code of a process that was started here (128 + signal), null while it runs."""
    reap()
    return {"code": _ended.get(request["pid"])}


def kill(request: Mapping[str, Any]) -> dict[str, Any]:
    with contextlib.suppress(ProcessLookupError):
        os.kill(request["pid"], request["signal"])
    return {}


def get(request: Mapping[str, Any]) -> dict[str, Any]:
    """A GET from inside of the node's network; status 0 where nobody answers."""
    try:
        with urllib.request.urlopen(request["url"], timeout=5) as answer:
            return {"status": answer.status, "body": answer.read().decode(errors="replace")}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": error.read().decode(errors="replace")}
    except OSError as error:
        return {"status": 0, "body": str(error)}


def reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            code = os.waitstatus_to_exitcode(status)
            _ended[pid] = code if code >= 0 else 128 - code


def main() -> None:
    operations = {"spawn": spawn, "run": run, "poll": poll, "kill": kill, "get": get}
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = operations[request["do"]](request)
        except OSError as error:
            answer = {"error": str(error)}
        reap()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
