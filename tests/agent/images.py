"""The images of these tests: the probes, and one that a node runs after each case."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from localregistry.resources.probe_image import CONFIG_TYPE, MANIFEST_TYPE, ProbeImage
from localregistry.trust import Probe

# Of the image that is on each node from the start, and of the same one in the registry.
LOCAL = "docker.io/library/run:1"
APP = "app:1"


# What the image's program ends with: no runtime and no shell gives this of itself, and unlike what
# it prints it cannot get lost on its way.
RAN = 42


@dataclass(frozen=True)
class Image:
    """One platform's image of one layer."""

    config: bytes
    layer: bytes
    manifest: bytes

    def archive(self, name: str) -> bytes:
        """As `docker save` writes it, which `docker load` and `ctr images import` read."""
        index = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
        files = {
            "config.json": self.config,
            "layer.tar": self.layer,
            "manifest.json": json.dumps(index).encode(),
        }
        return _tar(files)


def runnable(root: Path, *, label: str) -> Image:
    """An image of one static program; another `label` makes another image of it."""
    layer = _tar({"bin/busybox": (root / "usr/bin/busybox").read_bytes(), "etc/label": b""})
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/busybox", "sh", "-c", f"exit {RAN}"], "Labels": {"label": label}},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    content = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(CONFIG_TYPE, content),
        "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    }
    return Image(content, layer, json.dumps(manifest).encode())


def probe(name: str, uid: str) -> Probe:
    """What agents are told; all registries of a test share one storage, so the tag tells them."""
    image = ProbeImage.of(uid)
    reference = f"{name}/localregistry-probe:{uid}"
    return Probe(reference, image.config_digest, image.manifest_digest)


def push_probe(endpoint: str, uid: str) -> None:
    made = ProbeImage.of(uid)
    push(endpoint, f"localregistry-probe:{uid}", Image(made.config, made.layer, made.manifest))


def push(endpoint: str, name: str, image: Image) -> None:
    """Pushes to `http://address:port`. Raises RuntimeError where the registry does not take it."""
    address = urlsplit(endpoint)
    repository, _, tag = name.partition(":")
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)

    def ask(method: str, path: str, body: bytes = b"", kind: str = "") -> str:
        headers = {"Content-Type": kind or "application/octet-stream"}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in (201, 202):
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return answer.headers.get("Location", "")

    for blob in (image.config, image.layer):
        place = urlsplit(ask("POST", f"/v2/{repository}/blobs/uploads/"))
        ask("PUT", f"{place.path}?{place.query}&digest={_digest(blob)}", blob)
    ask("PUT", f"/v2/{repository}/manifests/{tag}", image.manifest, MANIFEST_TYPE)
    connection.close()


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
