"""What claims are asked is the same as if all of them were searched."""

from __future__ import annotations

import random
from dataclasses import replace

from localregistry.controller.claims import Claim, Claims
from localregistry.spec.hosts import Host
from localregistry.trust import TrustDocument

NAMES = [Host.parse(f"{letter}.example.internal") for letter in "abcd"]
SPACES, VOLUMES = ("team-1", "team-2"), ("", "data", "more")


def some(random_: random.Random, index: int) -> Claim:
    host, *aliases = random_.sample(NAMES, random_.randint(1, 3))
    return Claim(
        uid=f"u{index}",
        namespace=SPACES[index % 2],
        name=f"r{index}",
        created=f"2026-01-01T00:00:0{index}Z",
        host=host,
        aliases=tuple(aliases),
        managed=True,
        volume=random_.choice(VOLUMES),
    )


def searched_rivals(all_of: Claims, mine: Claim) -> set[str]:
    return {c.name for c in all_of if c.key != mine.key and c.names & mine.names}


def searched_writer(all_of: Claims, mine: Claim) -> Claim | None:
    place = (mine.namespace, mine.volume)
    older = [c for c in all_of if (c.namespace, c.volume) == place and c.age < mine.age]
    return min(older, key=lambda c: c.age) if older and mine.volume else None


def test_nothing_of_a_claim_that_went_or_changed_is_found() -> None:
    random_ = random.Random(20261129)
    claims = Claims()
    for _ in range(500):
        new = some(random_, random_.randrange(8))
        if random_.random() < 0.3:
            claims.drop(new.key)
        else:
            claims.put(new)
        for mine in claims:
            assert {c.name for c in claims.rivals(mine)} == searched_rivals(claims, mine)
            assert claims.older_writer(mine) == searched_writer(claims, mine)
        for host in NAMES:
            claimants = [c for c in claims if host.name in c.names]
            holder = claims.holder(host.name, TrustDocument())
            assert (holder in claimants) if claimants else holder is None
    for claim in list(claims):
        claims.drop(claim.key)
    assert (claims._by_name, claims._by_volume) == ({}, {})


def test_a_claim_without_its_volume_has_no_older_writer() -> None:
    random_ = random.Random(1)
    first, second = (replace(some(random_, index), volume="") for index in (0, 2))
    claims = Claims()
    claims.put(first)
    claims.put(second)
    assert claims.older_writer(second) is None
