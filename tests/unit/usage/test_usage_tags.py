"""The tags of a volume, as the engine lays them out, and when each was pushed."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from localregistry.usage import app, tags
from localregistry.usage.tags import Busy, Tags

pytestmark = pytest.mark.ux

PUSHED = 1_767_323_960


def push(root: Path, repository: str, tag: str, digest: str = "sha256:ab") -> Path:
    folder = root / "docker/registry/v2/repositories" / repository / "_manifests/tags" / tag
    (folder / "current").mkdir(parents=True, exist_ok=True)
    link = folder / "current/link"
    link.write_text(digest)
    os.utime(link, (PUSHED, PUSHED))
    return link


def listed(root: Path) -> Any:
    return json.loads(Tags(str(root)).to_json())


def test_every_tag_of_every_repository_is_listed_with_its_digest_and_time(tmp_path: Path) -> None:
    push(tmp_path, "team/web", "latest", "sha256:cd")
    push(tmp_path, "app", "1")
    assert listed(tmp_path) == {
        "format": 1,
        "complete": True,
        "tags": [
            ["app", "1", "sha256:ab", PUSHED],
            ["team/web", "latest", "sha256:cd", PUSHED],
        ],
    }


def test_an_empty_volume_has_none(tmp_path: Path) -> None:
    assert listed(tmp_path)["tags"] == []


def test_a_repository_below_another_is_found_and_uploads_are_not_entered(tmp_path: Path) -> None:
    push(tmp_path, "app", "1")
    push(tmp_path, "app/inner", "2")
    uploads = tmp_path / "docker/registry/v2/repositories/app/_uploads/_manifests/tags/x/current"
    uploads.mkdir(parents=True)
    (uploads / "link").write_text("sha256:no")
    assert [tag[:2] for tag in listed(tmp_path)["tags"]] == [["app", "1"], ["app/inner", "2"]]


def test_a_tag_that_goes_meanwhile_is_left_out(tmp_path: Path) -> None:
    push(tmp_path, "app", "1").unlink()
    assert listed(tmp_path)["tags"] == []


def test_no_link_is_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    link = push(tmp_path, "app", "1")
    link.unlink()
    link.symlink_to(secret)
    with pytest.raises(OSError, match="Too many levels"):
        listed(tmp_path)
    code, _, text = app.list_tags(Tags(str(tmp_path)))
    assert (code, "s3cret" in text) == (503, False)


def test_more_than_fits_is_cut_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "MAX_TAGS", 2)
    for name in "abc":
        push(tmp_path, "app", name)
    found = listed(tmp_path)
    assert (len(found["tags"]), found["complete"]) == (2, False)


def test_an_answer_serves_all_who_ask_for_ten_seconds(tmp_path: Path) -> None:
    now = [100.0]
    answers = Tags(str(tmp_path), clock=lambda: now[0])
    assert '"tags":[]' in answers.to_json()
    push(tmp_path, "app", "1")
    now[0] += tags.FRESH_SECONDS - 0.1
    assert '"tags":[]' in answers.to_json()
    now[0] += 0.2
    assert '"app"' in answers.to_json()


def test_who_asks_while_storage_hangs_is_not_held_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hang(folder: str) -> Any:
        entered.set()
        leave.wait(10)
        return iter(())

    monkeypatch.setattr(tags, "walk", hang)
    answers = Tags(str(tmp_path))
    first = threading.Thread(target=answers.to_json)
    first.start()
    assert entered.wait(10)
    with pytest.raises(Busy):
        answers.to_json()
    assert app.list_tags(answers)[0] == 503
    leave.set()
    first.join(10)
