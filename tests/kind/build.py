"""Build the Go programs into the cache, each once per content of its go.mod, go.sum and flags."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from kind import digest, gomodules, gotools, locks, progress, shell, toolchain
from kind.gotools import Tool
from kind.settings import Settings


def keyed(settings: Settings, tool: Tool) -> Path:
    """Where the binary lies for the present go.mod, go.sum and flags."""
    module = Path(tool.module_dir)
    key = digest.digest(
        *(module / "go.mod", module / "go.sum"),
        *(tool.package, tool.ldflags),
        *gomodules.own_folders(module),
    )
    return settings.cache / "go" / tool.apart / f"{tool.name}-{key}"


def ensure(settings: Settings, names: Iterable[str]) -> Path:
    """Make sure that each named tool is in the bin directory; return that directory.

    Raises Failed for an unknown name or a build that fails.
    """
    tools = gotools.of(settings)
    wanted = list(names) or list(tools)
    unknown = [name for name in wanted if name not in tools]
    if unknown:
        raise shell.Failed(f"no such tool: {', '.join(unknown)}; there are {', '.join(tools)}")
    settings.bin.mkdir(parents=True, exist_ok=True)
    missing = [name for name in wanted if not keyed(settings, tools[name]).exists()]
    for name in wanted:
        if name not in missing:
            _link(settings, tools[name], keyed(settings, tools[name]))
    if not missing:
        progress.Progress(1).cached(f"{len(wanted)} tools")
    report = progress.Progress(len(missing))
    for name in missing:
        _ensure(settings, tools[name], report)
    return settings.bin


def _ensure(settings: Settings, tool: Tool, report: progress.Progress) -> None:
    target = keyed(settings, tool)
    # One lock for all: two builds at once on two cores only make both slower.
    with locks.locked(settings.cache / "go.lock"):
        if target.exists():
            report.cached(tool.name)
        else:
            with report.step(tool.name, "building", seconds=tool.seconds):
                _build(settings, tool, target)
    _link(settings, tool, target)


def _build(settings: Settings, tool: Tool, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(".part")
    go = toolchain.go(settings)
    with gomodules.completed(Path(tool.module_dir), go, settings.cache / "scratch") as folder:
        shell.run(
            [go, "build", "-trimpath", "-ldflags", tool.ldflags, "-o", scratch, tool.package],
            cwd=folder,
            env={"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"},
            timeout=3600,
        )
    scratch.rename(target)
    for old in target.parent.glob(f"{tool.name}-*"):
        # The key is the last twelve characters: kube-proxy must not take another's file along.
        if old != target and old.name[:-13] == tool.name:
            old.unlink(missing_ok=True)


def _link(settings: Settings, tool: Tool, target: Path) -> None:
    link = settings.bin / tool.name
    if link.is_symlink() and link.readlink() == target:
        return
    scratch = settings.bin / f".{tool.name}.{os.getpid()}"
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(target)
    scratch.replace(link)


def have(settings: Settings, name: str) -> str:
    """Path of a tool that an earlier step has built, for a command line."""
    path = settings.bin / name
    if not path.exists():
        found = shutil.which(name)
        if found is None:
            raise shell.Failed(f"{name} is not built yet: run the `tools` command")
        return found
    return str(path)
