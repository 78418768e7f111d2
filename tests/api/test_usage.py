"""USED: the real engine, the real usage process, and the operator that asks it."""

from __future__ import annotations

import hashlib
import http.client
import os
import select
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.apiserver import ApiServer
from api.lab import LREG, Lab, open_lab
from api.powercut import make_ext4
from api.processes import Process, wait_until

pytestmark = pytest.mark.ux

MIB = 1 << 20


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        # A measurement is repeated after 10 s at the earliest, however often it is asked for.
        opened.start_operator(options=("--usage-seconds", "2"))
        yield opened


class Registry:
    """One that is Ready, with its usage process; `push` and `pull` go to the engine."""

    def __init__(self, lab: Lab, *, disk: str = "", image: str = "", **spec: Any) -> None:
        self.lab = lab
        lab.add_node("node-a")
        lab.apply("dev", **spec)
        wait_until(lambda: lab.exists("service", "dev-registry"), timeout=15, what="the Service")
        address = str(lab.get("service", "dev-registry")["spec"]["clusterIP"])
        self.url = f"http://{address}:{lab.registry_port}/v2/app/blobs"
        self.data = lab.folder(address) / "data"
        self.data.mkdir(parents=True)
        if disk:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={disk}", "tmpfs", str(self.data)]
            subprocess.run(mount, check=True)
        if image:
            options = "loop,errors=remount-ro"
            subprocess.run(["mount", "-o", options, image, str(self.data)], check=True)
        lab.bring_up("dev")
        self.process: Process = lab.measure(address)
        lab.wait_for("dev", "Ready", "Ready", timeout=20)

    def push(self, size: int) -> tuple[int, str]:
        """One blob; the engine's last answer, and the blob's digest."""
        content = os.urandom(size)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        code, where = _send("POST", f"{self.url}/uploads/", b"")
        assert code == 202
        return _send("PUT", f"{where}&digest={digest}", content)[0], digest

    def pull(self, digest: str) -> int:
        return _send("GET", f"{self.url}/{digest}")[0]

    @property
    def storage(self) -> dict[str, Any]:
        found: dict[str, Any] = self.lab.get(LREG, "dev")["status"].get("storage", {})
        return found

    def wait_used(self, summary: str, *, timeout: float = 30) -> None:
        try:
            wait_until(lambda: self.storage.get("summary") == summary, timeout=timeout, what="USED")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.storage}, not {summary}") from None


def _send(method: str, url: str, data: bytes = b"") -> tuple[int, str]:
    """Status and Location. An engine that refuses answers before it has read all, and closes soon
    after: whoever goes on sending never reads the answer."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.putrequest(method, f"{parts.path}?{parts.query}" if parts.query else parts.path)
        connection.putheader("Content-Type", "application/octet-stream")
        connection.putheader("Content-Length", str(len(data)))
        connection.endheaders()
        sock, left = connection.sock, memoryview(data)
        sock.setblocking(False)
        while left:
            answered, _, _ = select.select([sock], [sock], [], 30)
            if answered:
                break
            left = left[sock.send(left) :]
        sock.settimeout(30)
        answer = connection.getresponse()
        answer.read()
        return answer.status, str(answer.getheader("Location"))
    finally:
        connection.close()


def rest(lab: Lab) -> None:
    """Nothing is left to look at: an Ingress that nobody has admitted is, every 15 s."""
    address = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    lab.patch_status("ingress", "dev-registry", address)
    lab.wait_for("dev", "Exposed", "IngressAdmitted")
    lab.wait_quiet()


def test_what_is_pushed_is_seen_and_what_nobody_asks_for_is_not_written(lab: Lab) -> None:
    registry = Registry(lab)
    assert registry.push(5 * MIB)[0] == 201
    registry.wait_used("5Mi/20Gi")
    assert registry.storage["used"] == "5Mi"
    assert lab.get(LREG, "dev")["status"]["observedGeneration"] == 1
    rest(lab)
    # Less than what is shown changes.
    assert registry.push(1000)[0] == 201
    since = time.monotonic()
    time.sleep(13)
    assert lab.writes(since) == []
    assert lab.requests(since) == [], "no call of the API for a figure that is the same"
    columns = lab.api.kubectl("get", "lreg", "dev", "-n", lab.namespace).stdout.splitlines()
    assert columns[0].split()[4] == "USED"
    assert columns[1].split()[4] == "5Mi/20Gi"


def test_without_the_usage_process_the_figure_stays_and_the_registry_is_ready(lab: Lab) -> None:
    registry = Registry(lab, storage={"ephemeral": True})
    assert registry.push(3 * MIB)[0] == 201
    registry.wait_used("3Mi/ephemeral")
    registry.process.stop(kill=True)
    rest(lab)
    since = time.monotonic()
    time.sleep(6)
    assert registry.storage["summary"] == "3Mi/ephemeral"
    assert lab.condition("dev")["status"] == "True"
    assert lab.writes(since) == []
    operator = lab.operator
    assert operator
    operator.process.restart()
    time.sleep(6)
    assert registry.storage["summary"] == "3Mi/ephemeral", "a start of the operator forgets nothing"
    registry.process.restart()
    assert registry.push(3 * MIB)[0] == 201
    registry.wait_used("6Mi/ephemeral")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_full_volume_is_warned_of_fails_pushes_and_serves_pulls(lab: Lab) -> None:
    registry = Registry(lab, disk="40m")
    try:
        code, kept = registry.push(10 * MIB)
        assert code == 201
        registry.wait_used("10Mi/20Gi")
        assert registry.push(int(28.5 * MIB))[0] == 201
        almost = lab.wait_for("dev", "StorageReady", "StorageAlmostFull", status="True", timeout=30)
        assert "Raise spec.storage.size, which is 20Gi" in almost["message"]
        assert registry.push(5 * MIB)[0] == 500, "never 201"
        full = lab.wait_for("dev", "StorageReady", "StorageFull", status="True", timeout=30)
        assert "pushes fail with a 500, pulls go on" in full["message"]
        assert registry.pull(kept) == 200
        assert lab.condition("dev")["status"] == "True"
        events = lab.wait_for_events(
            lab.namespace, lambda events: any(e["reason"] == "StorageFull" for e in events)
        )
        warned = [e["reason"] for e in events if e["type"] == "Warning"]
        assert warned.count("StorageAlmostFull") == warned.count("StorageFull") == 1
        # Space, as from a garbage collection: the warning goes, and pushes succeed.
        for data in registry.data.glob("docker/registry/v2/**/data"):
            if data.stat().st_size > 11 * MIB or "_uploads" in data.parts:
                data.unlink()
        lab.wait_for("dev", "StorageReady", "ClaimBound", timeout=30)
        assert registry.push(5 * MIB)[0] == 201
    finally:
        for process in lab.registries:
            process.stop(kill=True)
        subprocess.run(["umount", str(registry.data)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_file_system_that_its_kernel_made_read_only_is_told_and_pulls_go_on(
    lab: Lab, tmp_path: Path
) -> None:
    """By an error that ext4 takes for one of its own, on a disk that is a file."""
    image = tmp_path / "disk"
    make_ext4(image, mib=64)
    registry = Registry(lab, image=str(image))
    try:
        code, kept = registry.push(5 * MIB)
        assert code == 201
        rest(lab)
        errors = Path("/sys/fs/ext4", Path(_device(registry.data)).name, "trigger_fs_error")
        errors.write_text("by the test")
        told = lab.wait_for("dev", "StorageReady", "VolumeReadOnly", status="False", timeout=30)
        assert "repair the file system" in told["message"]
        assert lab.condition("dev")["reason"] == "VolumeReadOnly"
        assert lab.condition("dev", "NodesReady")["status"] == "True"
        assert _send("POST", f"{registry.url}/uploads/")[0] == 500, "a push does not even begin"
        assert registry.pull(kept) == 200
    finally:
        for process in lab.registries:
            process.stop(kill=True)
        subprocess.run(["umount", str(registry.data)], check=True)


def _device(mounted: Path) -> str:
    command = ["findmnt", "--noheadings", "--output", "SOURCE", "--mountpoint", str(mounted)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
