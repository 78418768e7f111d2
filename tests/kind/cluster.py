"""Make, find and delete the cluster."""

import json
import shutil
import time
from pathlib import Path

from kind import (
    addons,
    build,
    engine,
    gotools,
    kindconfig,
    load,
    locks,
    machine,
    nodeimages,
    progress,
    shell,
)
from kind.settings import KIND_LABEL, NETWORK, OUR_LABEL, Settings

_NODES = 3
# What `up` itself runs, and what whoever uses the cluster runs.
_TOOLS = ("kind", "kubectl", "helm", "crane", "kubeadm")


def up(settings: Settings) -> None:
    """Find the running cluster or make one; leaves its kubeconfig in the cache.

    A cluster that does not answer is deleted and made anew: that takes half a minute, and no
    repair of one whose engine was killed is as sure.
    """
    started = time.monotonic()
    settings.cache.mkdir(parents=True, exist_ok=True)
    with locks.locked(settings.cache / "up.lock"):
        engine.ensure(settings)
        build.ensure(settings, _TOOLS if settings.stock_image else gotools.CLUSTER)
        if healthy(settings):
            progress.Progress(1).cached(f"cluster {settings.cluster}: running and healthy")
            _tell_if_outdated(settings)
            addons.apply(settings)
            return
        images = None if settings.stock_image else nodeimages.ensure(settings)
        delete(settings)
        _create(settings, images)
        if settings.stock_image:
            # Test pods want it on every node, and no registry has it.
            load.load(settings, [nodeimages.ensure_tools(settings)])
        addons.apply(settings)
    progress.say(f"cluster {settings.cluster} is up after {time.monotonic() - started:.0f} s")


def healthy(settings: Settings) -> bool:
    """Tell whether every node runs and is Ready, within a few seconds."""
    if not settings.kubeconfig.exists() or len(load.nodes(settings)) != _NODES:
        return False
    try:
        answer = kubectl(settings, "get", "nodes", "--output=json", "--request-timeout=4s")
    except shell.Failed:
        return False
    found = json.loads(answer)["items"]
    return len(found) == _NODES and all(addons.node_ready(node) for node in found)


def _tell_if_outdated(settings: Settings) -> None:
    """Say so where the cluster was made from other images; it may be in use, so it stays."""
    if settings.stock_image:
        return
    made_from = engine.docker("inspect", "--format", "{{.Config.Image}}", settings.control_plane)
    if made_from.strip() != nodeimages.plan(settings).containerd:
        progress.say("note: it was made from older node images; `down`, then `up`, renews it")


def kubectl(settings: Settings, *argv: str, timeout: float = 60, stdin: str | None = None) -> str:
    """Run kubectl against the cluster."""
    command: list[str | Path] = [
        build.have(settings, "kubectl"),
        "--kubeconfig",
        settings.kubeconfig,
        *argv,
    ]
    return shell.run(command, timeout=timeout, stdin=stdin)


def delete(settings: Settings) -> None:
    """Remove every container, volume and network of the cluster; fine where there is none."""
    for label in (f"{KIND_LABEL}={settings.cluster}", f"{OUR_LABEL}={settings.cluster}"):
        found = engine.docker("ps", "--all", "--quiet", "--filter", f"label={label}").split()
        if found:
            engine.docker("rm", "--force", "--volumes", *found, timeout=180)
    settings.kubeconfig.unlink(missing_ok=True)


def delete_network() -> None:
    """Remove kind's network unless another cluster of kind's still uses it."""
    others = engine.docker("ps", "--all", "--quiet", "--filter", f"label={KIND_LABEL}").split()
    if not others:
        shell.succeeds(["docker", "network", "rm", NETWORK])


def down(settings: Settings, *, keep_engine: bool) -> None:
    """Take away all that `up` made but the cache."""
    report = progress.Progress(1)
    if not engine.answers():
        if not engine.left_containers():
            report.cached("no engine runs, and so no cluster")
            return
        engine.ensure(settings)
    with (
        locks.locked(settings.cache / "up.lock"),
        report.step(f"cluster {settings.cluster}", "deleting"),
    ):
        delete(settings)
        delete_network()
    if not keep_engine and engine.ours():
        report.grow(1)
        with report.step("engine", "stopping"):
            engine.stop()
    shutil.rmtree(settings.cache / "scratch", ignore_errors=True)


def _create(settings: Settings, images: nodeimages.Images | None) -> None:
    config = kindconfig.render(
        cluster=settings.cluster,
        containerd=images.containerd if images else str(settings.stock_image),
        docker=images.docker if images else None,
        legacy_cgroups=machine.legacy_cgroups(),
        own_cni=images is not None,
    )
    path = settings.cache / "kind.json"
    path.write_text(config)
    report = progress.Progress(1)
    argv: list[str | Path] = [build.have(settings, "kind"), "create", "cluster", "--config", path]
    with report.step(f"cluster {settings.cluster}", "creating three nodes", seconds=40):
        shell.run([*argv, "--kubeconfig", settings.kubeconfig, "--retain"], timeout=600)
