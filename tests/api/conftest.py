"""The API server that the tests of this tier share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.apiserver import ApiServer

_counter = itertools.count(1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What judges the whole tier comes last, and is left out where only a part of it runs."""
    judges = [item for item in items if item.get_closest_marker("whole_tier")]
    items[:] = [item for item in items if item not in judges]
    here = Path(__file__).parent
    run = {item.path for item in items if item.path.parent == here}
    if (
        config.option.keyword
        or hasattr(config, "workerinput")
        or run != set(here.glob("test_*.py"))
    ):
        config.hook.pytest_deselected(items=judges)
    else:
        items += judges


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real API server with the CRD, without controller manager; one for the whole session."""
    with ApiServer.start(tmp_path_factory.mktemp("api")) as server:
        server.apply_crd()
        yield server


@pytest.fixture(scope="session")
def api_with_controllers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """The same with the real controller manager: garbage collection, Deployments, namespaces."""
    directory = tmp_path_factory.mktemp("api-with-controllers")
    with ApiServer.start(directory, with_controller_manager=True) as server:
        server.apply_crd()
        yield server


@pytest.fixture
def namespace(api: ApiServer) -> str:
    """A namespace of the test's own. It is left to end with the API server."""
    name = f"test-{next(_counter)}"
    status, answer = api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert status == 201, answer
    return name
