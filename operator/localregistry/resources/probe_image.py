"""The image whose pull proves a node: about 660 bytes, and nobody else's.

Its config, and so its image ID, and its layer are unique to one LocalRegistry. A runtime that has
an image of the same ID, or a layer of the same content, would not fetch them, and removing one
image can take its like with it, a node's pause image for instance.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
import zlib
from dataclasses import dataclass
from typing import Any

from localregistry.spec.hosts import Host
from localregistry.spec.names import GROUP
from localregistry.trust import Probe

REPOSITORY = "localregistry-probe"
TAG = "v1"
UID_LABEL = f"{GROUP}/uid"

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class ProbeImage:
    """The three blobs as they are pushed; the digests are `sha256:<hex>` of each."""

    config: bytes
    layer: bytes
    manifest: bytes
    config_digest: str
    layer_digest: str
    manifest_digest: str
    config_type: str = CONFIG_TYPE
    layer_type: str = LAYER_TYPE
    manifest_type: str = MANIFEST_TYPE

    @classmethod
    def of(cls, uid: str) -> ProbeImage:
        """The same UID always gives the same bytes, without a clock."""
        archive = _tar("probe", hashlib.sha256(uid.encode()).digest())
        layer = _gzip(archive)
        config = _json(
            {
                # Runtimes do not compare the architecture of a single manifest with their own, so
                # one image serves all nodes.
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": {UID_LABEL: uid}},
                "rootfs": {"type": "layers", "diff_ids": [digest(archive)]},
            }
        )
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": _descriptor(CONFIG_TYPE, config),
                "layers": [_descriptor(LAYER_TYPE, layer)],
            }
        )
        return cls(config, layer, manifest, digest(config), digest(layer), digest(manifest))


def trust_probe(host: Host, uid: str) -> Probe:
    """What the agents are told to pull."""
    image = ProbeImage.of(uid)
    return Probe(f"{host}/{REPOSITORY}:{TAG}", image.config_digest, image.manifest_digest)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _tar(name: str, content: bytes) -> bytes:
    """An archive of one file, mtime 0. No padding to tar's usual 10 KiB: two empty blocks do."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o444
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(entry, io.BytesIO(content))
        end = archive.offset
    return buffer.getvalue()[:end] + bytes(1024)


def _gzip(content: bytes) -> bytes:
    """Gzip with mtime 0 and unknown OS: the gzip module's header differs between Pythons."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = compressor.compress(content) + compressor.flush()
    trailer = struct.pack("<II", zlib.crc32(content), len(content))
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + body + trailer
