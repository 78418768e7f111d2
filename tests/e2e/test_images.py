"""The two images: labelled, nobody's or root's, and the same from the same source."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

import pytest

from e2e.cluster import ROOT, run_kind
from e2e.layers import differences, layers

EPOCH = 1_700_000_000
ARGUMENTS = {
    "SOURCE_DATE_EPOCH": str(EPOCH),
    "VERSION": "9.9.9",
    "REVISION": "abc",
    "CREATED": "2023-11-14T22:13:20Z",
}


def build(target: str, tag: str) -> str:
    """From nothing: no layer of an earlier build is taken."""
    reference = f"localregistry.dev/test/reproducible-{target}:{tag}"
    environment = dict(os.environ)
    if subprocess.run(["docker", "buildx", "version"], capture_output=True).returncode:
        environment["DOCKER_BUILDKIT"] = "0"
    command = ["docker", "build", "--no-cache", "--network", "host", "--target", target]
    for name, value in ARGUMENTS.items():
        command += ["--build-arg", f"{name}={value}"]
    done = subprocess.run(
        [*command, "-t", reference, str(ROOT)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return reference


def config(reference: str) -> Any:
    done = subprocess.run(
        ["docker", "image", "inspect", reference], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)[0]["Config"]


@pytest.mark.long
@pytest.mark.parametrize(("target", "user"), [("agent", "0:0"), ("operator", "65532:65532")])
def test_two_builds_of_one_source_have_the_same_layers(target: str, user: str) -> None:
    run_kind("base-image")
    first = build(target, "one")
    # Were any date that of the build, it would be another second now.
    time.sleep(1.1)
    second = build(target, "two")
    try:
        assert differences(layers(first), layers(second)) == []
        ours = [
            entry
            for layer in layers(first)
            for path, entry in layer.items()
            if path.startswith("opt/localregistry/") and entry[0] == "0"
        ]
        assert len(ours) > 100
        assert {entry[-1] for entry in ours} == {float(EPOCH)}
        built = config(second)
        assert built["User"] == user
        for name in ("VERSION", "REVISION", "CREATED"):
            label = f"org.opencontainers.image.{name.lower()}"
            assert built["Labels"][label] == ARGUMENTS[name]
    finally:
        subprocess.run(["docker", "image", "rm", first, second], capture_output=True, check=False)
