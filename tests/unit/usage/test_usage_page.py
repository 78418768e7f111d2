"""The page's answers: what is on it, how fast, and what is never on it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localregistry.resources import probe_image
from localregistry.usage import page as pages
from localregistry.usage import tags as tagging
from localregistry.usage.images import Images
from localregistry.usage.page import SCREEN, Page
from localregistry.usage.tags import Busy, Tags
from localregistry.usage.told import Nodes
from localregistry.usage.web import Request
from unit.usage.volumes import PUSHED, blob, image, index, many, tag

pytestmark = pytest.mark.ux

# For the first look at ten thousand tags, on a machine that is busy with other things: it takes a
# tenth of it.
SOON_SECONDS = 3.0


def page(root: Path, nodes: Nodes | None = None) -> Page:
    return Page(Tags(str(root)), Images(str(root)), lambda: nodes)


def ask(shown: Page, path: str = "/tags", **query: str) -> Any:
    answer = shown.respond(Request(path, query))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def names(screen: Any) -> list[str]:
    return [f"{row['repository']}:{row['tag']}" for row in screen["tags"]]


def test_a_row_says_what_an_image_weighs_and_when_it_was_pushed(tmp_path: Path) -> None:
    digest = image(tmp_path, 1000, 2000)
    tag(tmp_path, "team/web", "1.0", digest)
    screen = ask(page(tmp_path, Nodes(2, 3)))
    [row] = screen["tags"]
    assert row | {"size": 0} == {
        **{"repository": "team/web", "tag": "1.0", "digest": digest, "pushed": PUSHED},
        **{"size": 0, "layers": 2, "platforms": 1},
    }
    assert row["size"] > 3100
    assert screen["nodes"] == {"ready": 2, "desired": 3}
    assert (screen["repositories"], screen["total"], screen["complete"]) == (1, 1, True)


def test_the_layers_of_one_image_are_told_when_they_are_asked_for(tmp_path: Path) -> None:
    one, two = image(tmp_path, 10), image(tmp_path, 20, first=2)
    tag(tmp_path, "app", "1", index(tmp_path, (one, "linux/amd64"), (two, "linux/arm64")))
    found = ask(page(tmp_path), "/image", repository="app", tag="1")
    assert found["complete"] is True
    assert found["platforms"] == [
        {"name": "linux/amd64", "digest": one, "layers": [[f"sha256:{1:064x}", 10]]},
        {"name": "linux/arm64", "digest": two, "layers": [[f"sha256:{2:064x}", 20]]},
    ]


def test_an_empty_registry_has_a_page_without_rows(tmp_path: Path) -> None:
    screen = ask(page(tmp_path))
    assert (screen["tags"], screen["total"], screen["matching"], screen["start"]) == ([], 0, 0, 0)
    assert screen["nodes"] is None


def test_the_operators_own_image_is_not_shown(tmp_path: Path) -> None:
    assert pages.HIDDEN == probe_image.REPOSITORY
    digest = image(tmp_path, 1)
    tag(tmp_path, probe_image.REPOSITORY, probe_image.TAG, digest)
    tag(tmp_path, "app", "1", digest)
    shown = page(tmp_path)
    assert names(ask(shown)) == ["app:1"]
    asked = {"repository": probe_image.REPOSITORY, "tag": probe_image.TAG}
    assert shown.respond(Request("/image", asked)).status == 404


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("app", "<img src=x onerror=alert(1)>"),
        ("<script>", "1"),
        ("app; rm -rf .", "1"),
        ("app", "$(reboot)"),
        ("app", "1\n"),
        ("app", "\u202e1"),
        ("App", "1"),
        ("a" * 200 + "/" + "b" * 60, "1"),
        ("app", "v" * 129),
        ("-app", "1"),
        ("app", "\udcff"),
    ],
    ids=ascii,
)
def test_a_folder_that_is_no_images_name_is_never_shown(
    tmp_path: Path, repository: str, name: str
) -> None:
    digest = image(tmp_path, 1)
    tag(tmp_path, repository, name, digest)
    tag(tmp_path, "good/app_1-x.y", "V1.0_rc-1", digest)
    screen = ask(page(tmp_path))
    assert names(screen) == ["good/app_1-x.y:V1.0_rc-1"]
    assert (screen["repositories"], screen["total"]) == (1, 1)


@pytest.mark.parametrize(("at", "told"), [(PUSHED, PUSHED), (-5, 0), (2**40, pages.LAST_SECOND)])
def test_a_time_is_one_that_a_browser_knows(tmp_path: Path, at: int, told: int) -> None:
    found = [("app", "1", image(tmp_path, 1), at)]
    shown = page(tmp_path)
    shown._tags._found = (time.monotonic(), tagging.Listing(found, True))
    assert ask(shown)["tags"][0]["pushed"] == told


def test_an_image_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    tag(tmp_path, "app", "1", blob(tmp_path, b"no manifest"))
    tag(tmp_path, "app", "2", "../../../etc/passwd")
    tag(tmp_path, "app", "3", image(tmp_path, 5))
    shown = page(tmp_path)
    rows = ask(shown)["tags"]
    assert ["size" in row for row in rows] == [False, False, True]
    assert ["digest" in row for row in rows] == [True, False, True], "nothing else is copied"
    assert shown.respond(Request("/image", {"repository": "app", "tag": "1"})).status == 404


def test_manifests_that_take_their_time_are_read_from_look_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(tmp_path, 1, 10, [image(tmp_path, size) for size in range(10)])
    read, shown = Images._image, page(tmp_path)

    def slow(self: Images, digest: str) -> Any:
        time.sleep(0.04)
        return read(self, digest)

    monkeypatch.setattr(Images, "_image", slow)
    monkeypatch.setattr(pages, "MANIFEST_SECONDS", 0.1)
    first = ["size" in row for row in ask(shown)["tags"]]
    assert first == sorted(first, reverse=True)
    assert 1 <= sum(first) <= 3
    looks = 0
    while not all("size" in row for row in ask(shown)["tags"]):
        looks += 1
        assert looks < 10, "each look brings one at least"


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["app:1", "team/api:1", "team/web:2"]),
        ("team", ["team/api:1", "team/web:2"]),
        ("TEAM/Web", ["team/web:2"]),
        ("web:2", ["team/web:2"]),
        ("web team", ["team/web:2"]),
        (":1", ["app:1", "team/api:1"]),
        ("nothing", []),
        (".*", []),
        ("<b>&", []),
    ],
)
def test_every_word_of_the_search_is_in_the_name(
    tmp_path: Path, search: str, found: list[str]
) -> None:
    digest = image(tmp_path, 1)
    for repository, name in (("team/web", "2"), ("app", "1"), ("team/api", "1")):
        tag(tmp_path, repository, name, digest)
    screen = ask(page(tmp_path), search=search)
    assert (names(screen), screen["matching"], screen["total"]) == (found, len(found), 3)


def test_the_newest_come_first_where_that_is_asked_for(tmp_path: Path) -> None:
    digest = image(tmp_path, 1)
    for name, at in (("a", 5), ("b", 9), ("c", 1)):
        tag(tmp_path, "app", name, digest, at=PUSHED + at)
    assert names(ask(page(tmp_path), order="pushed")) == ["app:b", "app:a", "app:c"]


def test_ten_thousand_tags_are_shown_screen_by_screen_and_soon(tmp_path: Path) -> None:
    many(tmp_path, 100, 100, [image(tmp_path, size) for size in range(100)])
    tag(tmp_path, "team-000/app", "v000", image(tmp_path, 12_345))
    shown = page(tmp_path)
    began = time.monotonic()
    first = ask(shown)
    assert time.monotonic() - began < SOON_SECONDS
    assert (first["total"], first["repositories"], first["complete"]) == (10_000, 100, True)
    last = ask(shown, start="9999")
    assert (last["start"], len(last["tags"])) == (10_000 - SCREEN, SCREEN)
    assert names(last)[-1] == "team-099/app:v099"
    assert names(ask(shown, search="team-042 v017")) == ["team-042/app:v017"]
    assert names(ask(shown, order="pushed"))[0] == "team-099/app:v099"
    seen: list[str] = []
    for start in range(0, 10_000, SCREEN):
        seen += names(ask(shown, start=str(start)))
    assert (len(seen), len(set(seen))) == (10_000, 10_000)
    screens = 10_000 / SCREEN
    assert (time.monotonic() - began) / screens < SOON_SECONDS / 10


def test_more_tags_than_are_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagging, "MAX_TAGS", 2)
    many(tmp_path, 1, 3, [image(tmp_path, 1)])
    assert ask(page(tmp_path))["complete"] is False


@pytest.mark.parametrize(
    ("query", "start"),
    [({"start": "0"}, 0), ({"start": "70"}, 50), ({"start": "999999999"}, 100), ({}, 0)],
)
def test_a_start_beyond_the_end_is_the_last_screen(
    tmp_path: Path, query: dict[str, str], start: int
) -> None:
    many(tmp_path, 1, 120, [image(tmp_path, 1)])
    assert ask(page(tmp_path), **query)["start"] == start


@pytest.mark.parametrize(
    "query", [{"start": "-1"}, {"start": "x"}, {"start": "9" * 5000}, {"order": "size"}]
)
def test_a_question_that_makes_no_sense_is_refused(tmp_path: Path, query: dict[str, str]) -> None:
    assert page(tmp_path).respond(Request("/tags", query)).status == 400


def busy(_: Tags) -> Any:
    raise Busy("the tags are being read: ask again")


def sick(_: Tags) -> Any:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("fault", [busy, sick])
@pytest.mark.parametrize("path", ["/tags", "/image"])
def test_a_volume_that_cannot_be_read_is_told_and_the_page_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Tags], Any], path: str
) -> None:
    monkeypatch.setattr(Tags, "listing", fault)
    shown = page(tmp_path)
    assert shown.respond(Request(path)).status == 503
    assert shown.respond(Request("/")).status == 200


def test_while_the_volume_is_walked_people_see_what_was_found_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    tags = Tags(str(tmp_path), clock=lambda: now[0])
    found = tags.listing()
    with tags._walking:
        now[0] += tagging.STALE_SECONDS - 1
        assert tags.listing() == found
        now[0] += 2
        with pytest.raises(Busy):
            tags.listing()
