"""The base image of the project's Dockerfile: present, else pulled, else made from Debian.

``images/python/Dockerfile`` says how the made one differs from the official one.
"""

import os
import shutil
import tempfile
from pathlib import Path

from kind import debian, digest, engine, imagebuild, progress, shell
from kind.settings import BASE_IMAGE, HERE, Settings

# A registry that can be reached has sent the 45 MB by then, one that cannot must not hold us up.
_PULL_SECONDS = 90


def ensure(settings: Settings) -> str:
    """Return the base image's name, with the image in the engine."""
    engine.ensure(settings)
    report = progress.Progress(1)
    if imagebuild.present(BASE_IMAGE):
        report.cached(BASE_IMAGE)
        return BASE_IMAGE
    folder = HERE / "images" / "python"
    tag = f"localregistry.dev/kind/python:{digest.digest(debian.SLIM.key, folder, _bundle())}"
    saved = settings.cache / "images" / f"{tag.replace('/', '_').replace(':', '-')}.tar"
    if not saved.exists():
        try:
            with report.step(BASE_IMAGE, "pulling", otherwise="cannot be pulled"):
                engine.docker("pull", "--quiet", BASE_IMAGE, timeout=_PULL_SECONDS)
            return BASE_IMAGE
        except shell.Failed:
            report.grow(1)
    if not imagebuild.present(tag):
        if saved.exists():
            with report.step(BASE_IMAGE, "loading from the cache", seconds=5):
                engine.docker("load", "--quiet", "--input", saved, timeout=300)
        else:
            _make(settings, tag, folder, report)
            saved.parent.mkdir(parents=True, exist_ok=True)
            engine.docker("save", "--output", saved, tag, timeout=300)
    engine.docker("tag", tag, BASE_IMAGE)
    return BASE_IMAGE


def _make(settings: Settings, tag: str, folder: Path, report: progress.Progress) -> None:
    base = imagebuild.root_image(settings, debian.SLIM, report)
    with (
        report.step(BASE_IMAGE, "building from Debian packages", seconds=30),
        tempfile.TemporaryDirectory() as scratch,
    ):
        context = Path(scratch) / "context"
        shutil.copytree(folder, context)
        (context / "machine.crt").write_bytes(_bundle())
        imagebuild.build_context(context, tag, base)


def _bundle() -> bytes:
    """Return the certificates that this machine trusts; empty where it has no such file."""
    for path in (os.environ.get("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt"):
        if path and Path(path).is_file():
            return Path(path).read_bytes()
    return b""
