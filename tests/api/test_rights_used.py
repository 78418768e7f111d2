"""Judges the operator's rights by what all tests of this tier made it do: none is missing, and none
is for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from api import rights

pytestmark = pytest.mark.whole_tier


def test_each_right_was_used_by_some_test_of_this_run(whole_tier: Path) -> None:
    unused = rights.granted() - rights.used(rights.events(whole_tier))
    assert sorted(unused) == [], "take them away, or test what they are for"


def test_no_right_was_missing_in_this_run(whole_tier: Path) -> None:
    may = rights.granted()
    lacking = [
        (group, resource, verb)
        for group, resource, verb, own in rights.refused(rights.events(whole_tier))
        # What a test has taken away for a while is not missing.
        if rights.Right("ClusterRole", group, resource, verb) not in may
        and not (own and rights.Right("Role", group, resource, verb) in may)
    ]
    assert lacking == []
