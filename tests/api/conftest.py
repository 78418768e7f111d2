"""The API server that the tests of this tier share."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.apiserver import ApiServer
from api.processes import wait_until

_counter = itertools.count(1)
_others = pytest.StashKey[int]()

CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "persistentvolumeclaim-protection-controller",
    "clusterrole-aggregation-controller",
)

# A file is given to one process as a whole, so those that wait longest come first: the others fill
# the gaps. In the order of what the summary of `python -m tiers api` showed.
LONGEST_FIRST = (
    "test_usage",
    "test_troubles",
    "test_nodes",
    "test_cost",
    "test_health",
    "test_process",
    "test_page",
    "test_admission",
)

# Of the tests that run beside those that judge the whole tier, once these are all that is left.
LAST_TESTS_SECONDS = 600


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What judges the whole tier comes last, and is left out where only a part of it runs."""
    judges = [item for item in items if item.get_closest_marker("whole_tier")]
    order = {name: rank for rank, name in enumerate(LONGEST_FIRST)}
    others = [item for item in items if item not in judges]
    items[:] = sorted(others, key=lambda item: order.get(item.path.stem, len(order)))
    here = Path(__file__).parent
    run = {item.path for item in items if item.path.parent == here}
    config.stash[_others] = sum(item.path.parent == here for item in items)
    if config.option.keyword or run != set(here.glob("test_*.py")):
        config.hook.pytest_deselected(items=judges)
    else:
        items += judges


@pytest.fixture(autouse=True)
def _counted(request: pytest.FixtureRequest, everything: Path) -> Iterator[None]:
    """Tells the other processes of this run that one more test is done."""
    yield
    if not request.node.get_closest_marker("whole_tier"):
        with (everything / f"done-{os.getpid()}").open("ab") as file:
            file.write(b".")


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all processes of this run."""
    mine = tmp_path_factory.getbasetemp()
    return mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine


@pytest.fixture
def whole_tier(request: pytest.FixtureRequest, everything: Path) -> Path:
    """The folder of all processes of this run, once all other tests are done."""

    def all_done() -> bool:
        done = sum(file.stat().st_size for file in everything.glob("done-*"))
        return done == request.config.stash[_others]

    wait_until(all_done, timeout=LAST_TESTS_SECONDS, what="the tests beside this one to end")
    return everything


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real API server with the CRD, without controller manager; one for the whole session."""
    with ApiServer.start(tmp_path_factory.mktemp("api")) as server:
        server.apply_crd()
        yield server


@pytest.fixture(scope="session")
def api_with_controllers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """The same with those of the real controllers that take away what is deleted, and that put the
    built-in roles together. The others would look after nodes and pods, which are stand-ins here.
    """
    directory = tmp_path_factory.mktemp("api-with-controllers")
    with ApiServer.start(
        directory, with_controller_manager=True, controllers=",".join(CONTROLLERS)
    ) as server:
        server.apply_crd()
        yield server


@pytest.fixture
def namespace(api: ApiServer) -> Iterator[str]:
    """A namespace of the test's own. It ends with the API server. Its LocalRegistries go before, as
    the operators of later tests would have to look after them, and its Services, whose addresses
    and node ports are the whole cluster's."""
    name = f"test-{next(_counter)}"
    status, answer = api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert status == 201, answer
    yield name
    api.request("DELETE", f"/apis/localregistry.dev/v1alpha1/namespaces/{name}/localregistries")
    status, answer = api.request("DELETE", f"/api/v1/namespaces/{name}/services")
    assert status == 200, answer
