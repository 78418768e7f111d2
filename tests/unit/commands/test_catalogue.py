"""The catalogue through the Service's proxy: complete, cut, or told why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localregistry.commands import catalogue
from localregistry.commands.catalogue import Tag
from localregistry.commands.problems import Problem
from unit.commands.standin import StandIn, refusal

pytestmark = pytest.mark.ux

HTTP = "/api/v1/namespaces/team/services/dev-registry:http/proxy"
TAGS = "/api/v1/namespaces/team/services/dev-registry:usage/proxy/tags"


def blob(letter: str, size: int) -> dict[str, Any]:
    return {"digest": f"sha256:{letter * 64}", "size": size}


IMAGE = {"config": blob("c", 10), "layers": [blob("1", 100), blob("2", 200)]}
OTHER = {"config": blob("d", 20), "layers": [blob("1", 100)]}
DIGESTS = [f"sha256:{letter * 64}" for letter in "abe"]
INDEX = {"manifests": [{"digest": digest} for digest in DIGESTS]}


def answers(**more: Any) -> dict[str, Any]:
    return {
        f"{HTTP}/v2/_catalog": {"repositories": ["app", "localregistry-probe"]},
        f"{HTTP}/v2/app/tags/list": {"tags": ["2", "1"]},
        f"{HTTP}/v2/app/manifests/1": (200, IMAGE, {"Docker-Content-Digest": DIGESTS[0]}),
        f"{HTTP}/v2/app/manifests/2": (200, INDEX, {"Docker-Content-Digest": DIGESTS[1]}),
        f"{HTTP}/v2/app/manifests/{DIGESTS[0]}": IMAGE,
        f"{HTTP}/v2/app/manifests/{DIGESTS[1]}": OTHER,
        f"{HTTP}/v2/app/manifests/{DIGESTS[2]}": (404, {"errors": []}, {}),
        TAGS: {"format": 1, "tags": [["app", "1", DIGESTS[0], 1767323960]]},
        **more,
    }


def read(found: dict[str, Any], **options: Any) -> catalogue.Catalogue:
    return catalogue.read(StandIn(found), "team", "dev", **options)


def weight(*manifests: Any) -> int:
    return sum(len(json.dumps(one)) for one in manifests)


def test_sizes_times_and_digests_are_found_and_the_probe_image_is_left_out() -> None:
    found = read(answers())
    assert found.repositories == 1
    assert found.notes == ()
    # The layer that two platforms share counts once; the third platform was never pushed.
    both = weight(INDEX, IMAGE, OTHER) + 10 + 100 + 200 + 20
    assert found.tags == (
        Tag("app", "1", DIGESTS[0], weight(IMAGE) + 310, "2026-01-02T03:19:20Z"),
        Tag("app", "2", DIGESTS[1], both, None),
    )


def test_lists_are_read_page_by_page() -> None:
    more = {"Link": '</v2/_catalog?last=a&n=1000>; rel="next"'}
    pages = {
        f"{HTTP}/v2/_catalog?n=1000": (200, {"repositories": ["app"]}, more),
        f"{HTTP}/v2/_catalog?n=1000&last=app": {"repositories": ["web"]},
        f"{HTTP}/v2/web/tags/list": {"tags": None},
    }
    assert read(answers(**pages)).repositories == 2


def test_a_large_catalogue_is_cut_and_says_so() -> None:
    found = read(answers(), at_most=1)
    assert [tag.name for tag in found.tags] == ["1"]
    assert "Only the first 1 tags are shown." in found.notes


def test_names_that_would_lead_elsewhere_are_not_followed() -> None:
    bad = ["../../secrets", "a/../../b", "/x", "a?b", "a%2fb", "", "a//b"]
    cluster = StandIn(answers(**{f"{HTTP}/v2/_catalog": {"repositories": bad}}))
    assert catalogue.read(cluster, "team", "dev").tags == ()
    assert {path.partition("?")[0] for _, path in cluster.asked} == {f"{HTTP}/v2/_catalog", TAGS}


CANNOT: dict[str, tuple[Any, str]] = {
    "no right": (
        refusal('get resource "services/proxy"'),
        "The right is `get` on `services/proxy`",
    ),
    "no Service": (None, "The registry's Service is not there yet, or leads to no pod."),
    "no pod": ((503, {"message": "no endpoints available"}, {}), "no endpoints available"),
    "something else": ((200, b"<html>", {}), "What answers is not the registry."),
    "no API server": (Problem("The API server is away.", ""), "The API server is away."),
}


@pytest.mark.parametrize(("answer", "words"), CANNOT.values(), ids=CANNOT)
def test_what_is_in_the_way_is_told(answer: Any, words: str) -> None:
    problem = read(answers(**{f"{HTTP}/v2/_catalog": answer})).problem
    assert problem
    assert words in problem


UNDATED = {
    "an older usage container": ((404, b"there is /usage", {}), "of a newer operator"),
    "a silent one": ((503, b"busy", {}), "the second container is silent"),
    "no right": (Problem("You may not.", ""), "You may not."),
}


@pytest.mark.parametrize(("answer", "words"), UNDATED.values(), ids=UNDATED)
def test_without_the_times_the_rest_is_shown(answer: Any, words: str) -> None:
    found = read(answers(**{TAGS: answer}))
    assert [tag.pushed for tag in found.tags] == [None, None]
    assert words in found.notes[-1]
