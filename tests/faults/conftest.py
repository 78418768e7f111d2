"""One stage for all runs of this tier; other tests make their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.apiserver import ApiServer
from api.lab import open_lab
from faults.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ApiServer.start(tmp_path_factory.mktemp("faults")) as api:
        api.apply_crd()
        status, answer = api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "faults"}})
        assert status == 201, answer
        for lab in open_lab(api, "faults"):
            with World.open(api, lab) as opened:
                yield opened


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many points of the enumeration ended as the undisturbed run did."""
    points = [
        int(str(value))
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "points"
    ]
    if points:
        runs = f"{len(points)} pairs of scenario and fault"
        terminalreporter.write_line(
            f"{sum(points)} faults at {sum(points)} writes, in {runs}: equal"
        )
