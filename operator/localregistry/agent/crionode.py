"""The CRI-O of this node, found by evidence."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localregistry.agent import endpoint
from localregistry.agent.helper import Runtime
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Process, Processes
from localregistry.agent.writer import Detected
from localregistry.trust import NodeReason, NodeResult

MAIN = "/etc/containers/registries.conf"
DROP_INS = "/etc/containers/registries.conf.d"

# Fedora's and Red Hat's CoreOS under OpenShift: its operator undoes what others write, and marks
# the node as degraded.
_MANAGED = ("rhcos", "scos")


@dataclass(frozen=True, kw_only=True)
class Found(Detected):
    """`directory` holds the drop-ins; `watches`: CRI-O reads it again without being told."""

    process: Process
    directory: str = DROP_INS
    main: str = MAIN
    watches: bool = False


def detect(*, host: HostRoot, processes: Processes, runtime: Runtime) -> Found | NodeResult:
    """The socket that answers as CRI-O, the process behind it, its own configuration."""
    if (system := _system(host)) in _MANAGED:
        return NodeResult(
            NodeReason.UNSUPPORTED,
            f"OpenShift manages the registries of this node ({system}): add the names to "
            "spec.registrySources.insecureRegistries of image.config.openshift.io/cluster.",
        )
    at = endpoint.find("cri-o", host=host, processes=processes, runtime=runtime)
    if isinstance(at, NodeResult):
        return at
    pid = endpoint.peer(at.path) if at is not None else None
    process = processes.get(pid, "crio") if pid else None
    if at is None or process is None:
        return NodeResult(
            NodeReason.PENDING, "No CRI socket of a CRI-O of the node itself answers (yet)."
        )
    try:
        watches = _watches(host, process)
    except ValueError as error:
        return NodeResult(
            NodeReason.FOREIGN_CONFIG_INVALID,
            f"CRI-O's configuration cannot be read, so that a reload would fail: {error}. Mend it.",
        )
    return Found(
        identity=process.identity,
        cri=at.path,
        process=process,
        directory=_path(process, "registries-conf-dir", DROP_INS),
        main=_path(process, "registries-conf", MAIN),
        watches=watches,
    )


def _watches(host: HostRoot, process: Process) -> bool:
    """`auto_reload_registries`, from 1.30 on: by flag, else by the last file that says so."""
    if "auto-reload-registries" in process.flags:
        return process.flags["auto-reload-registries"][-1] == "true"
    result = False
    for body in _configuration(host, process):
        image = body.get("crio", {}).get("image", {})
        result = bool(image.get("auto_reload_registries", result))
    return result


def _configuration(host: HostRoot, process: Process) -> Iterator[Mapping[str, Any]]:
    """crio.conf and its drop-ins, in their order. Raises ValueError with the file."""
    directory = _path(process, "config-dir", _path(process, "d", "/etc/crio/crio.conf.d"))
    paths = [_path(process, "config", _path(process, "c", "/etc/crio/crio.conf"))]
    paths += [f"{directory}/{name}" for name in host.children(directory)]
    for path in paths:
        try:
            yield tomllib.loads(host.resolve(path).read_text())
        except (FileNotFoundError, IsADirectoryError):
            continue
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error


def _path(process: Process, flag: str, default: str) -> str:
    given = process.flags.get(flag, ())
    return given[-1] if given and given[-1].startswith("/") else default


def _system(host: HostRoot) -> str:
    try:
        text = host.resolve("/etc/os-release").read_text()
    except (OSError, UnicodeDecodeError):
        return ""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return values.get("ID", "").strip("\"'")
