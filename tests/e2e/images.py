"""Builds the project's images for the cluster. Run as a program it builds and loads them.

Tags carry a digest of all that goes in, so an image that is there already is the right one, and an
upgrade by Helm rolls exactly what changed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import ROOT, run_kind, say

SOURCES = ("Dockerfile", "pyproject.toml", "README.md", "LICENSE", "manifests/image", "operator")
APP = ROOT / "tests" / "e2e" / "app"


@dataclass(frozen=True)
class Images:
    """References of the images in the engine and on every node."""

    tag: str
    app: str

    @property
    def operator(self) -> str:
        return f"docker.io/localregistry/operator:{self.tag}"

    @property
    def agent(self) -> str:
        return f"docker.io/localregistry/agent:{self.tag}"


def ensure() -> Images:
    """Builds what is not there yet, which takes about a minute, and loads it into the nodes."""
    run_kind("base-image")
    images = Images(
        tag=f"dev-{_digest([ROOT / name for name in SOURCES])}",
        app=f"localregistry.dev/test/app:{_digest([APP])}",
    )
    _build(images.operator, ROOT, "--target", "operator")
    _build(images.agent, ROOT, "--target", "agent")
    _build(images.app, APP)
    run_kind("load", images.operator, images.agent)
    return images


def save(reference: str, target: Path) -> None:
    """The image as a tar file, for a client that has no engine."""
    subprocess.run(["docker", "save", "-o", str(target), reference], check=True)


def _build(reference: str, context: Path, *arguments: str) -> None:
    found = subprocess.run(["docker", "image", "inspect", reference], capture_output=True)
    if found.returncode == 0:
        return
    say(f"building {reference}")
    started = time.monotonic()
    environment = dict(os.environ)
    if subprocess.run(["docker", "buildx", "version"], capture_output=True).returncode:
        environment["DOCKER_BUILDKIT"] = "0"
    command = ["docker", "build", "--network", "host", "-t", reference, *arguments, str(context)]
    done = subprocess.run(
        command,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout[-6000:]}\n{' '.join(command)} failed")
    say(f"built {reference} in {time.monotonic() - started:.0f} s")


def _digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if "__pycache__" in file.parts or ".egg-info" in str(file):
                continue
            total.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes() + b"\0")
    return total.hexdigest()[:12]


if __name__ == "__main__":
    built = ensure()
    for line in (built.operator, built.agent, built.app):
        say(line)
