"""Two installs in one cluster: which of them works, and when the other one takes over."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import LEASE
from localregistry.controller.rivals import DEAD_SECONDS, LOOK_SECONDS, Rivals

from .standin_api import StandInApi

MINE, OTHER = "mine", "other"
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def lease(namespace: str, created: str, *, holder: str = "x", renewed: str = "r0") -> Any:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": "localregistry-operator",
            "namespace": namespace,
            "creationTimestamp": created,
        },
        "spec": {"holderIdentity": holder, "renewTime": renewed},
    }


class Waiting:
    """A wait in time of its own; `each` is called before each look but the first."""

    def __init__(self, api: StandInApi, each: Any = lambda count: None) -> None:
        self.told: list[str] = []
        self.now = 0.0
        self.looks = 1
        self._each = each
        self.rivals = Rivals(
            api, MINE, told=self.told.append, clock=lambda: self.now, sleep=self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.looks += 1
        assert self.looks < 100, "it waits for ever"
        self._each(self.looks)


@pytest.mark.parametrize(
    "others",
    [
        [],
        [lease(OTHER, LATE)],
        [lease(OTHER, EARLY, holder="")],
        [lease("nobody", EARLY)],
    ],
    ids=["alone", "beside a younger one", "after one that gave its Lease back", "of the same age"],
)
async def test_the_older_one_works_at_once(others: list[Any]) -> None:
    waiting = Waiting(StandInApi(lease(MINE, EARLY), *others))
    await waiting.rivals.gone()
    assert (waiting.told, waiting.looks) == ([], 1)


async def test_the_younger_one_says_where_the_other_is_and_waits_until_it_gives_up() -> None:
    api = StandInApi(lease(MINE, LATE), lease(OTHER, EARLY))

    def renewed(look: int) -> None:
        api.put(lease(OTHER, EARLY, holder="" if look == 20 else "x", renewed=f"r{look}"))

    waiting = Waiting(api, renewed)
    await waiting.rivals.gone()
    assert waiting.looks == 20
    assert waiting.told == [
        "The operator in namespace other is at work in this cluster already, so this one in mine"
        " does nothing. Uninstall one of the two",
        "",
    ]


async def test_one_that_died_is_followed_when_its_lease_is_not_renewed() -> None:
    waiting = Waiting(StandInApi(lease(MINE, LATE), lease(OTHER, EARLY)))
    await waiting.rivals.gone()
    assert DEAD_SECONDS <= waiting.now <= DEAD_SECONDS + LOOK_SECONDS


async def test_of_two_leases_made_in_the_same_second_one_works() -> None:
    first = Waiting(StandInApi(lease(MINE, EARLY), lease("a", EARLY)))
    await first.rivals.gone()
    assert first.looks > 1, "a comes before mine"


async def test_an_api_server_that_is_away_is_asked_again_before_anything_is_done() -> None:
    api = StandInApi(lease(MINE, EARLY))
    api.fail("list", LEASE, ApiError(0, "refused"), times=2)
    waiting = Waiting(api)
    await waiting.rivals.gone()
    assert waiting.looks == 3
    assert [bool(words) for words in waiting.told] == [True, False]


async def test_without_the_right_to_look_it_works_as_before() -> None:
    api = StandInApi(lease(MINE, LATE), lease(OTHER, EARLY))
    api.fail("list", LEASE, ApiError(403, 'User "x" cannot list resource "leases"'))
    waiting = Waiting(api)
    await waiting.rivals.gone()
    assert (waiting.told, waiting.looks) == ([], 1)
