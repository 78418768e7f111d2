"""Registry engines on loopback, with images to push to them and to read back."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from api.apiserver import binaries
from api.processes import Process, free_port, wait_until
from localregistry.resources import configmap
from localregistry.resources.probe_image import MANIFEST_TYPE, REPOSITORY, ProbeImage
from unit.resources.registries import registry

# urllib's own default is that of a form, which the engine would then read in place of the blob.
BYTES = "application/octet-stream"

START_SECONDS = 20


@dataclass
class Engine:
    """One engine and the directory that it keeps everything in."""

    url: str
    metrics: str
    root: Path
    process: Process

    def send(
        self, method: str, path: str, data: bytes | None = None, content_type: str = BYTES
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {"Content-Type": content_type, "Accept": f"{MANIFEST_TYPE}, */*"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, dict(refusal.headers), refusal.read()

    def push_blob(self, content: bytes, digest: str, path: str | None = None) -> int:
        location = path or self.start_upload()
        joiner = "&" if "?" in location else "?"
        return self.send("PUT", f"{location}{joiner}digest={digest}", content)[0]

    def start_upload(self) -> str:
        status, headers, _ = self.send("POST", f"/v2/{REPOSITORY}/blobs/uploads/")
        assert status == 202
        return headers["Location"]

    def push(self, image: ProbeImage, tag: str) -> None:
        """Blobs, then the manifest, as every client does; each must be acknowledged."""
        assert self.push_blob(image.config, image.config_digest) == 201
        assert self.push_blob(image.layer, image.layer_digest) == 201
        path = f"/v2/{REPOSITORY}/manifests/{tag}"
        assert self.send("PUT", path, image.manifest, image.manifest_type)[0] == 201

    def holds(self, image: ProbeImage, tag: str) -> bool:
        """Whether all of the image can be pulled by its tag, byte for byte."""
        blobs = ((image.config_digest, image.config), (image.layer_digest, image.layer))
        found = self.send("GET", f"/v2/{REPOSITORY}/manifests/{tag}")
        return found[0] == 200 and all(
            (answer[0], answer[2]) == (200, content)
            for answer, content in (
                (found, image.manifest),
                *((self.send("GET", f"/v2/{REPOSITORY}/blobs/{d}"), c) for d, c in blobs),
            )
        )

    def taken(self) -> int:
        """Bytes of uploads that are not at their end."""
        uploads = self.root.glob("docker/registry/v2/repositories/**/_uploads/*/data")
        return sum(path.stat().st_size for path in uploads)

    def is_up(self) -> bool:
        self.process.check()
        try:
            return self.send("GET", "/")[0] == 200
        except OSError:
            return False

    def restart(self) -> None:
        """Ends when it answers."""
        self.process.restart()
        wait_until(self.is_up, timeout=START_SECONDS, what="the restarted engine")


@contextmanager
def running(
    folder: Path, root: Path, command: Sequence[str | Path] | None = None
) -> Iterator[Engine]:
    """An engine, this project's own by default, with config.yml as rendered but for its directory
    and ports. `command` is another one's, up to the configuration's path."""
    config = yaml.safe_load(configmap.render(registry()))
    port, metrics = free_port(), free_port()
    root.mkdir(parents=True, exist_ok=True)
    config["storage"]["filesystem"]["rootdirectory"] = str(root)
    config["http"]["addr"] = f"127.0.0.1:{port}"
    config["http"]["debug"]["addr"] = f"127.0.0.1:{metrics}"
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(config))
    program = command or (binaries("registry") / "registry", "serve")
    process = Process.start("registry", [*program, path], folder / "registry.log")
    urls = (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics}")
    engine = Engine(*urls, root, process)
    try:
        wait_until(engine.is_up, timeout=START_SECONDS, what="the registry engine")
        yield engine
    finally:
        process.stop()
