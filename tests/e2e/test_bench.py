"""The figures of the real cluster in miniature: that each is measured, and what holds at any size.

Times are not judged, but for what no machine may miss.
"""

from __future__ import annotations

import pytest

from bench import cold_start, throughput
from bench.figures import Figure
from bench.plan import SHORT
from e2e.cluster import REGISTRIES, Cluster


def by_name(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.what: figure for figure in figures}


@pytest.mark.long
def test_a_cold_start_is_measured_beside_bare_manifests(clean: Cluster) -> None:
    found, versions = cold_start.measure(frozenset({"P8"}), SHORT)
    figures = by_name(found["P8"])
    start = figures["apply to the first pull on every node, p50"]
    told = figures["apply to Ready in the status, p50"]
    assert start.control is not None
    assert 0 < start.control < 120
    # A pull is proved before it is told of.
    assert 0 < start.value <= told.value < 60
    assert versions["runtimes"].count(",") == len(clean.nodes()) - 1


@pytest.mark.long
def test_throughput_is_measured_and_nothing_stays_in_the_ingress_controller(
    clean: Cluster,
) -> None:
    found, _ = throughput.measure(frozenset({"P9"}), SHORT)
    figures = by_name(found["P9"])
    for what in ("push", "pull"):
        for way in ("Ingress", "Service"):
            figure = figures[f"{what} through the {way}"]
            assert figure.control is not None
            assert figure.value > 1 < figure.control
    mib = SHORT.large_mib
    kept = figures[f"temporary files of the controller while {mib} MiB are pushed, most"]
    assert kept.control is not None
    # The control shows that what is kept would have been seen.
    assert kept.value < kept.control / 4
    assert figures[f"temporary bytes that {mib} MiB leave in the controller"].value == 0
    assert not clean.exists("pod", throughput.CLIENT, "-n", "localregistry-system")
    assert not clean.exists("ingress", throughput.BUFFERING, "-n", REGISTRIES)
