"""The containerd of k3s or RKE2 on this node, found by evidence."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localregistry.agent import containerdnode
from localregistry.agent.helper import Runtime
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Process, Processes
from localregistry.agent.writer import Detected
from localregistry.trust import NodeReason, NodeResult

# Names of their main process. k3s hides its flags there, where a token may stand; containerd's own
# name the same directory.
_SUPERVISORS = {"k3s": ("k3s-server", "k3s-agent", "k3s"), "rke2": ("rke2",)}

_GENERATED = "/agent/etc/containerd/config.toml"

# The same in k3s's own configuration file, which is YAML.
_DATA_DIR = re.compile(r"""^["']?data-dir["']?:\s*["']?(/[^\s"'#]+)""", re.MULTILINE)

_COMMENT = re.compile(r"(^|\s)#.*")
_QUOTED_KEY = re.compile(r"""["']([^"'\s]+)["']\s*:""")
_BARE_KEY = re.compile(r"(?:^|[{,]|\s)([A-Za-z0-9*][A-Za-z0-9.*-]*(?::[0-9]+)?)\s*:(?=\s|$)")


@dataclass(frozen=True)
class Found(Detected):
    """`directory` is the generated certs.d, or why it is not written into; `registries` the
    administrator's registries.yaml, which need not exist."""

    directory: str | NodeResult = ""
    registries: str = ""


def detect(*, host: HostRoot, processes: Processes, runtime: Runtime) -> Found | NodeResult:
    """The socket of k3s and RKE2, the containerd behind it, its effective config_path."""
    match containerdnode.behind("k3s", host=host, processes=processes, runtime=runtime):
        case NodeResult() as missing:
            return missing
        case at, process:
            pass
    product, supervisor = _product(process, processes)
    data = data_dir(product, supervisor, process, host)
    file = containerdnode.config_file(process) or f"{data}{_GENERATED}"
    found = containerdnode.configured(at, process, file, host=host, runtime=runtime)
    if isinstance(found, NodeResult):
        return found
    private = supervisor.flags.get("private-registry", ()) if supervisor else ()
    registries = private[-1] if private else f"/etc/rancher/{product}/registries.yaml"
    directory = found.directory
    if isinstance(directory, NodeResult):
        directory = NodeResult(
            NodeReason.UNSUPPORTED,
            f"This {product} writes no registry directory into {file} (releases before 1.28.6 and "
            f"1.29.1 do not): upgrade it, or name the registry in {registries} and restart it.",
        )
    return Found(found.identity, found.cri, found.hint, directory, registries)


def data_dir(product: str, supervisor: Process | None, containerd: Process, host: HostRoot) -> str:
    """As containerd's flag shows it, k3s's own flag, its configuration file; else the default."""
    file = containerdnode.config_file(containerd) or ""
    if file.endswith(_GENERATED):
        return file.removesuffix(_GENERATED)
    flags = supervisor.flags if supervisor else {}
    if given := flags.get("data-dir", flags.get("d", ())):
        return given[-1].rstrip("/")
    try:
        text = host.resolve(f"/etc/rancher/{product}/config.yaml").read_text()
    except (OSError, UnicodeDecodeError):
        text = ""
    written = _DATA_DIR.search(text)
    return written[1].rstrip("/") if written else f"/var/lib/rancher/{product}"


def hosts_named(registries: str) -> frozenset[str]:
    """Every key of registries.yaml, those of `mirrors` and `configs` among them.

    No YAML parser is worth its memory here. One key too many would only leave a name to the
    administrator; none is missed: a host is a plain or a quoted key, in block or flow style.
    """
    text = "\n".join(_COMMENT.sub("", line) for line in registries.splitlines())
    keys = _QUOTED_KEY.findall(text) + [m for line in text.splitlines() for m in _bare(line)]
    return frozenset(key.lower() for key in keys)


def _bare(line: str) -> list[str]:
    return _BARE_KEY.findall(line)


def _product(containerd: Process, processes: Processes) -> tuple[str, Process | None]:
    """`k3s` or `rke2`, and its main process where there is just one."""
    running = {
        product: [process for name in names for process in processes.named(name)]
        for product, names in _SUPERVISORS.items()
    }
    file = containerdnode.config_file(containerd) or ""
    by_path = [product for product in _SUPERVISORS if f"/{product}/" in file]
    by_process = [product for product, found in running.items() if found]
    product = (by_path or by_process or ["k3s"])[0]
    found = running[product]
    return product, found[0] if len(found) == 1 else None
