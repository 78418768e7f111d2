"""The probe image: small, deterministic, and unique to its registry."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

from localregistry.resources.probe_image import REPOSITORY, TAG, ProbeImage, trust_probe
from localregistry.spec.hosts import Host
from localregistry.trust import Probe
from unit.spec.bodies import UID

OTHER_UID = "9f6f2b3a-6c1e-4d57-9a43-1d2c8e5b7f90"
_IMAGE_ID = "sha256:18d2ca354dacaf2d0ad721b8c5314ea905fcc493543e18154b2372f30cdac8c0"


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_digests_and_sizes_are_those_of_the_blobs() -> None:
    image = ProbeImage.of(UID)
    manifest = json.loads(image.manifest)
    assert manifest["schemaVersion"] == 2
    assert manifest["config"] == {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": _sha256(image.config),
        "size": len(image.config),
    }
    [layer] = manifest["layers"]
    assert (layer["digest"], layer["size"]) == (_sha256(image.layer), len(image.layer))
    assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert image.manifest_digest == _sha256(image.manifest)
    assert (image.config_digest, image.layer_digest) == (
        _sha256(image.config),
        _sha256(image.layer),
    )


def test_the_config_names_the_layer_as_it_is_unpacked() -> None:
    image = ProbeImage.of(UID)
    config = json.loads(image.config)
    assert config["os"] == "linux"
    assert config["config"]["Labels"] == {"localregistry.dev/uid": UID}
    assert config["rootfs"]["diff_ids"] == [_sha256(gzip.decompress(image.layer))]


def test_the_layer_is_one_small_file_of_its_own() -> None:
    archives = [gzip.decompress(ProbeImage.of(uid).layer) for uid in (UID, OTHER_UID)]
    contents = []
    for archive in archives:
        with tarfile.open(fileobj=io.BytesIO(archive)) as layer:
            [entry] = layer.getmembers()
            file = layer.extractfile(entry)
            assert file is not None
            contents.append(file.read())
            assert (entry.mtime, entry.uid, entry.gid) == (0, 0, 0)
    assert [len(content) for content in contents] == [32, 32]
    assert contents[0] != contents[1]


def test_no_blob_is_shared_between_two_registries() -> None:
    one, other = ProbeImage.of(UID), ProbeImage.of(OTHER_UID)
    assert one.config_digest != other.config_digest
    assert one.layer_digest != other.layer_digest
    assert one.manifest_digest != other.manifest_digest


def test_the_same_registry_always_has_the_same_image() -> None:
    assert ProbeImage.of(UID) == ProbeImage.of(UID)
    # The gzip header: no time, no name, no operating system.
    assert ProbeImage.of(UID).layer[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    # The image ID does not depend on the compressor: it must stay from release to release.
    assert ProbeImage.of(UID).config_digest == _IMAGE_ID


def test_the_image_costs_next_to_nothing() -> None:
    image = ProbeImage.of(UID)
    assert len(image.config) + len(image.layer) + len(image.manifest) < 800


def test_agents_are_told_the_name_and_both_digests() -> None:
    image = ProbeImage.of(UID)
    assert trust_probe(Host("a.b", 5000), UID) == Probe(
        f"a.b:5000/{REPOSITORY}:{TAG}", image.config_digest, image.manifest_digest
    )
