"""What an image is made of, by manifests that anybody may have pushed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from localregistry.usage import images
from localregistry.usage.images import Images, Summary, Unknown
from localregistry.usage.tags import Busy
from unit.usage.volumes import blob, image, index, layer, manifest

pytestmark = pytest.mark.ux

NO_SIZES: list[Any] = [-1, 2**70, 1.5, True, None, "9", []]


def length(root: Path, digest: str) -> int:
    value = digest.partition(":")[2]
    return (root / f"docker/registry/v2/blobs/sha256/{value[:2]}/{value}/data").stat().st_size


def test_an_image_is_its_manifest_its_config_and_its_layers(tmp_path: Path) -> None:
    digest = image(tmp_path, 1000, 2000)
    found = Images(str(tmp_path)).image(digest)
    assert found.summary == Summary(length(tmp_path, digest) + 100 + 3000, layers=2, platforms=1)
    [platform] = found.platforms
    assert platform.layers == ((f"sha256:{1:064x}", 1000), (f"sha256:{2:064x}", 2000))
    assert (platform.name, platform.digest, found.complete) == ("", digest, True)


def test_a_blob_that_platforms_share_counts_once(tmp_path: Path) -> None:
    one, two = image(tmp_path, 1000), image(tmp_path, 1000, 500)
    both = index(tmp_path, (one, "linux/amd64"), (two, "linux/arm64"))
    own = sum(length(tmp_path, digest) for digest in (one, two, both))
    found = Images(str(tmp_path)).image(both)
    assert found.summary == Summary(own + 100 + 1500, layers=2, platforms=2)
    assert [platform.name for platform in found.platforms] == ["linux/amd64", "linux/arm64"]


def test_what_build_tools_attach_is_no_platform(tmp_path: Path) -> None:
    one, attached = image(tmp_path, 1000), image(tmp_path, 7, first=9)
    both = index(tmp_path, (one, "linux/amd64"), (attached, "unknown/unknown"))
    assert Images(str(tmp_path)).summary(both).platforms == 1


def test_a_platform_that_was_not_pushed_is_told_and_seen_once_it_is(tmp_path: Path) -> None:
    later = image(tmp_path / "elsewhere", 1000)
    both = index(tmp_path, (later, "linux/arm64"))
    read = Images(str(tmp_path))
    assert (read.image(both).complete, read.summary(both).platforms) == (False, 0)
    image(tmp_path, 1000)
    assert (read.image(both).complete, read.summary(both).platforms) == (True, 1)


def test_what_was_read_once_is_not_read_again(tmp_path: Path) -> None:
    digest = image(tmp_path, 1000)
    read = Images(str(tmp_path))
    found = read.summary(digest)
    value = digest.partition(":")[2]
    (tmp_path / f"docker/registry/v2/blobs/sha256/{value[:2]}/{value}/data").unlink()
    assert read.summary(digest) == found


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "sha256:../../../../../../etc/passwd",
        f"sha256:{'a' * 63}",
        f"sha256:{'A' * 64}",
        f"sha256:{'a' * 64}\n",
        f"../{'a' * 64}",
        f"sha256:{'b' * 64}",
    ],
)
def test_no_digest_leads_anywhere_else(tmp_path: Path, digest: str) -> None:
    with pytest.raises(Unknown):
        Images(str(tmp_path)).image(digest)


def test_no_link_is_followed(tmp_path: Path) -> None:
    digest = image(tmp_path, 1)
    value = digest.partition(":")[2]
    data = tmp_path / f"docker/registry/v2/blobs/sha256/{value[:2]}/{value}/data"
    data.rename(tmp_path / "secret")
    data.symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="Too many levels"):
        Images(str(tmp_path)).image(digest)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"7",
        b"[" * 200_000,
        b'{"layers": ' + b"[" * 200_000,
        b" " * (images.MAX_MANIFEST + 1),
        b'{"size": ' + b"9" * 10_000 + b"}",
        b'{"layers": [' + b"{}," * images.MAX_ENTRIES + b"{}]}",
        b'{"manifests": [' + b"{}," * images.MAX_ENTRIES + b"{}]}",
    ],
    ids=[
        *("empty", "no text", "a list", "a number", "deep", "deeper", "long", "a large number"),
        *("endless layers", "endless platforms"),
    ],
)
def test_what_is_no_manifest_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unknown):
        Images(str(tmp_path)).image(blob(tmp_path, content))


@pytest.mark.parametrize(
    "body",
    [
        {"layers": "x", "config": [], "manifests": {}},
        {"layers": [None, 1, "x", []], "config": None},
        {"layers": [layer(1, size) for size in NO_SIZES]},
        {"layers": [{}], "config": {"digest": ["x"], "size": {}}},
        {"manifests": [{"platform": 1}, {"platform": {"os": ["x"], "architecture": "</p>"}}]},
    ],
)
def test_fields_of_another_shape_weigh_nothing(tmp_path: Path, body: Any) -> None:
    digest = manifest(tmp_path, body)
    assert Images(str(tmp_path)).summary(digest).size == length(tmp_path, digest)


def test_an_endless_index_is_cut_and_told(tmp_path: Path) -> None:
    one = image(tmp_path, 1000)
    entries = [(one, "linux/amd64")] * (images.MAX_PLATFORMS + 1)
    found = Images(str(tmp_path)).image(index(tmp_path, *entries))
    assert (found.complete, len(found.platforms)) == (False, images.MAX_PLATFORMS)


def test_of_endless_layers_all_are_counted_and_some_shown(tmp_path: Path) -> None:
    found = Images(str(tmp_path)).image(image(tmp_path, *[1] * (images.MAX_LAYERS + 5)))
    assert found.summary.layers == images.MAX_LAYERS + 5
    assert len(found.platforms[0].layers) == images.MAX_LAYERS
    assert (found.complete, found.final) == (False, True)


def test_no_more_is_kept_than_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_KEPT", 2)
    read = Images(str(tmp_path))
    for size in range(5):
        read.summary(image(tmp_path, size))
    assert len(read._kept) == 2


def test_who_waits_for_hanging_storage_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hang(self: Images, digest: str) -> Any:
        entered.set()
        leave.wait(10)
        raise Unknown

    monkeypatch.setattr(Images, "_image", hang)
    monkeypatch.setattr(images, "PATIENCE_SECONDS", 0.05)
    read = Images(str(tmp_path))

    def first() -> None:
        with pytest.raises(Unknown):
            read.image("x")

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(10)
    with pytest.raises(Busy):
        read.image("x")
    leave.set()
    thread.join(10)
