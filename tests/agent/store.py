"""What the nodes' registries serve, prepared once for a test session and only read afterwards."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from agent import images

# Of the registries that tests declare.
UIDS = ("u1", "u2", "u3")

_CONFIG = "version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: /}}\n"


@dataclass(frozen=True)
class Store:
    """`binary` serves `data`; `archive` holds the image that nodes have from the start."""

    binary: Path
    data: Path
    config: Path
    archive: bytes

    def command(self) -> list[str]:
        return [str(self.binary), "serve", str(self.config)]

    def environment(self, address: str) -> dict[str, str]:
        return {
            "REGISTRY_HTTP_ADDR": address,
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(self.data),
            "OTEL_TRACES_EXPORTER": "none",
        }


def prepare(folder: Path, *, binary: Path, root: Path) -> Store:
    """Fills a storage directory by pushes into the real registry, on a free loopback port."""
    config = folder / "registry.yml"
    config.write_text(_CONFIG)
    local = images.runnable(root, label="local").archive(images.LOCAL)
    store = Store(binary, folder / "data", config, local)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, **store.environment(address)}
    with (
        (folder / "registry.log").open("wb") as log,
        subprocess.Popen(store.command(), env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            _wait(address)
            images.push(f"http://{address}", images.APP, images.runnable(root, label="app"))
            for uid in UIDS:
                images.push_probe(f"http://{address}", uid)
        finally:
            process.terminate()
    return store


def _wait(address: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        connection = http.client.HTTPConnection(address, timeout=2)
        try:
            connection.request("GET", "/v2/")
            if connection.getresponse().status == 200:
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
        finally:
            connection.close()
        time.sleep(0.02)
