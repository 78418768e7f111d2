"""Each Helm that the chart is for."""

from __future__ import annotations

import pytest

from chart.helms import HELMS, Helm


@pytest.fixture(scope="session")
def helms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Helm]:
    """Built where absent, which takes a minute each."""
    return {name: Helm.of(name, tmp_path_factory.mktemp(name)) for name in HELMS}


@pytest.fixture(params=HELMS)
def helm(request: pytest.FixtureRequest, helms: dict[str, Helm]) -> Helm:
    return helms[request.param]
