"""The real registry engine takes the rendered configuration and the probe image."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.engines import BYTES, Engine, running
from api.processes import wait_until
from localregistry.resources import configmap
from localregistry.resources.probe_image import REPOSITORY, TAG, ProbeImage
from unit.resources.registries import registry
from unit.spec.bodies import UID


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with running(tmp_path, tmp_path / "disk" / "images") as engine:
        yield engine


def test_the_probe_image_is_taken_and_given_back(engine: Engine) -> None:
    image = ProbeImage.of(UID)
    assert engine.push_blob(image.config, image.config_digest) == 201
    assert engine.push_blob(image.layer, image.layer_digest) == 201
    path = f"/v2/{REPOSITORY}/manifests/{TAG}"
    status, headers, _ = engine.send("PUT", path, image.manifest, image.manifest_type)
    assert (status, headers["Docker-Content-Digest"]) == (201, image.manifest_digest)
    status, headers, manifest = engine.send("GET", path)
    assert (status, manifest) == (200, image.manifest)
    assert headers["Content-Type"] == image.manifest_type
    for digest, content in (
        (image.config_digest, image.config),
        (image.layer_digest, image.layer),
    ):
        assert engine.send("GET", f"/v2/{REPOSITORY}/blobs/{digest}")[2] == content


def test_an_upload_goes_on_after_a_restart_by_a_relative_location(engine: Engine) -> None:
    location = engine.start_upload()
    assert location.startswith("/v2/")
    engine.restart()
    image = ProbeImage.of(UID)
    assert engine.push_blob(image.layer, image.layer_digest, location) == 201


def test_a_push_that_a_kill_cut_off_is_seen_by_nobody_and_succeeds_the_next_time(
    engine: Engine,
) -> None:
    content = os.urandom(8 << 20)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    blob = f"/v2/{REPOSITORY}/blobs/{digest}"
    kept = ProbeImage.of(UID)
    assert engine.push_blob(kept.layer, kept.layer_digest) == 201
    location = engine.start_upload()
    connection = http.client.HTTPConnection(engine.url.removeprefix("http://"), timeout=10)
    try:
        connection.putrequest("PATCH", location)
        connection.putheader("Content-Type", BYTES)
        connection.putheader("Content-Length", str(len(content)))
        connection.endheaders()
        connection.send(content[: len(content) // 2])
        wait_until(lambda: engine.taken() > 0, timeout=20, what="some of it on the disk")
        engine.process.stop(kill=True)
    finally:
        connection.close()
    assert engine.taken() > 0, "nothing was cut off, so nothing was seen"
    engine.restart()
    assert engine.send("HEAD", blob)[0] == 404
    assert engine.send("GET", f"/v2/{REPOSITORY}/blobs/{kept.layer_digest}")[2] == kept.layer
    # As a client does that pushes again: docker begins a new upload.
    assert engine.push_blob(content, digest) == 201
    assert engine.send("GET", blob)[2] == content


def test_a_deletion_is_allowed_and_metrics_are_on_their_own_port(engine: Engine) -> None:
    image = ProbeImage.of(UID)
    assert engine.push_blob(image.layer, image.layer_digest) == 201
    blob = f"/v2/{REPOSITORY}/blobs/{image.layer_digest}"
    assert engine.send("DELETE", blob)[0] == 202
    # A descriptor cache would still claim it.
    assert engine.send("HEAD", blob)[0] == 404
    assert engine.send("GET", "/metrics")[0] == 404
    with urllib.request.urlopen(engine.metrics + "/metrics", timeout=10) as answer:
        assert b"registry_http_requests_total" in answer.read()


def test_sick_storage_makes_the_readiness_probe_fail_and_mends(engine: Engine) -> None:
    disk = engine.root.parent
    healthy = disk.rename(disk.with_name("healthy"))
    # A file in place of the directory: every access fails, and not for want of the path, which
    # the engine takes for a registry that is still empty.
    disk.touch()
    wait_until(lambda: engine.send("GET", "/")[0] == 503, timeout=20, what="a 503 on /")
    disk.unlink()
    healthy.rename(disk)
    wait_until(lambda: engine.send("GET", "/")[0] == 200, timeout=20, what="a 200 on /")


def test_storage_that_turns_read_only_takes_no_push_and_gives_what_it_has(engine: Engine) -> None:
    """The engine's own check of its health only reads, so of it nothing but the refused push
    tells."""
    image = ProbeImage.of(UID)
    disk = str(engine.root)
    subprocess.run(["mount", "-t", "tmpfs", "none", disk], check=True)
    try:
        assert engine.push_blob(image.layer, image.layer_digest) == 201
        location = engine.start_upload()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        refused = engine.send("POST", f"/v2/{REPOSITORY}/blobs/uploads/")
        assert refused[0] >= 500
        assert b"read-only file system" in refused[2]
        assert engine.push_blob(image.config, image.config_digest, location) >= 500
        blob = f"/v2/{REPOSITORY}/blobs/{image.layer_digest}"
        assert engine.send("GET", blob)[2] == image.layer
        assert engine.send("HEAD", f"/v2/{REPOSITORY}/blobs/{image.config_digest}")[0] == 404
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert engine.push_blob(image.config, image.config_digest) == 201
    finally:
        engine.process.stop()
        subprocess.run(["umount", disk], check=True)


def test_the_log_is_json_and_holds_no_secret(engine: Engine) -> None:
    engine.send("GET", "/v2/")
    engine.process.stop()
    lines = engine.process.log.read_text().splitlines()
    assert any(_is_json(line) for line in lines)
    secret = yaml.safe_load(configmap.render(registry()))["http"]["secret"]
    assert not [line for line in lines if secret in line]
    assert not [line for line in lines if "localhost:4318" in line]


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
