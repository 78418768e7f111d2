"""The operator's figures in miniature: that each is measured, and what holds at any size.

Times are not judged: the machine runs other tests meanwhile.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from api.apiserver import binaries
from api.processes import Process, free_port, wait_until
from bench import blobs, controller, controller_scale
from bench.figures import Figure
from bench.plan import SHORT


def by_name(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.what: figure for figure in figures}


@pytest.mark.long
def test_the_operator_is_measured_beside_a_bare_client() -> None:
    found, versions = controller.measure(frozenset({"P1", "P2", "P3", "P4", "P7"}), SHORT)
    assert set(found) == {"P1", "P2", "P3", "P4", "P7"}
    assert versions["kubernetes"].startswith("1.")
    # An idle operator reads and writes nothing, a run with nothing to do changes nothing, and no
    # LocalRegistry rolls the agents out.
    for bar, nothing in {
        "P1": ("lists but the resync's", "writes"),
        "P2": ("children changed by it", "statuses written by it"),
        "P7": ("agents' DaemonSet: new generations by it",),
    }.items():
        figures = by_name(found[bar])
        assert {what: figures[what].value for what in nothing} == dict.fromkeys(nothing, 0)
    run = by_name(found["P2"])["a run, p50"]
    assert run.control is not None
    # No run is quicker than half of what its requests alone take.
    assert run.control / 2 < run.value < 5000
    slowest = by_name(found["P3"])["resource seen to its last child written, p99"]
    assert by_name(found["P3"])["resource seen to its last child written, p50"].value <= (
        slowest.value
    )
    everything = by_name(found["P3"])["all children of all, beside a bare client"]
    assert everything.value >= slowest.value / 1000
    (writes,) = (f for f in found["P7"] if f.what.startswith("writes of the trust document"))
    assert writes.value == 1
    idle, grown = found["P4"]
    assert 20 < idle.value < 150
    assert grown.value <= 5


@pytest.mark.long
def test_many_nodes_and_a_start_with_many_registries_are_measured() -> None:
    found, _ = controller_scale.measure(frozenset({"P7", "P10"}), SHORT)
    change = by_name(found["P7"])[f"{SHORT.nodes} nodes, a change to NodesReady"]
    assert 0 < change.value <= 60
    assert by_name(found["P7"])["tasks written"].value == SHORT.nodes
    start = by_name(found["P10"])
    assert start[f"start with {SHORT.many} until all are looked at"].value <= 60
    assert start["objects created or deleted by it"].value == 0


def test_a_layer_is_pushed_and_pulled_whole(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "config.yml"
    config.write_text(
        f"{{version: 0.1, storage: {{filesystem: {{rootdirectory: {tmp_path}/data}}}}, "
        f"http: {{addr: '127.0.0.1:{port}', relativeurls: true, secret: s}}}}"
    )
    program = binaries("registry") / "registry"
    process = Process.start("registry", [program, "serve", config], tmp_path / "log")

    def run(what: str, last: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", Path(blobs.__file__).read_text(), what, "127.0.0.1"]
        command += [str(port), "registry.example.internal", last]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    try:
        wait_until(lambda: run("push", "1").returncode == 0, timeout=15, what="the engine")
        pushed = json.loads(run("push", "3").stdout)
        pulled = json.loads(run("pull", pushed["digest"]).stdout)
        absent = run("pull", "sha256:" + "0" * 64)
    finally:
        process.stop(kill=True)
    assert pushed["bytes"] == pulled["bytes"] == 3 << 20
    assert pushed["seconds"] > 0 < pulled["seconds"]
    digest = pushed["digest"].removeprefix("sha256:")
    (kept,) = (tmp_path / "data").rglob(f"{digest}/data")
    assert kept.stat().st_size == 3 << 20
    assert absent.returncode != 0
    assert "404" in absent.stderr
