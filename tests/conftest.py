"""Options of the whole test suite, and the documentation's commands for those that run them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from documented.blocks import claimed_by
from documented.runner import Documented

# How long one example takes tells of the machine's load, and of nothing that is tested.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the files of tests/golden anew, to be read in the diff",
    )


@pytest.fixture
def documented(request: pytest.FixtureRequest) -> Iterator[Documented]:
    """The blocks of the documentation that name the test, every one of which it has to run."""
    name = request.node.originalname
    blocks = claimed_by(name)
    assert blocks, f"no block of the documentation says: run by {name}"
    found = Documented(blocks)
    failed = request.session.testsfailed
    yield found
    if request.session.testsfailed == failed:
        assert [block.place for block in found.waiting] == [], f"{name} did not run these"
