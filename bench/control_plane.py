"""The stage of the controller's figures: a real etcd and kube-apiserver, the operator as a process
under its own rights, and stand-ins for nodes, kubelets and the volume controller."""

from __future__ import annotations

import datetime
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.apiserver import ApiServer
from api.lab import LREG, PATHS, Lab, new_lab
from faults.cluster import Cluster
from localregistry.spec import names

NAMESPACE = "bench"
OPERATOR = "localregistry-operator/"
KOPF = "kopf/"
MERGE = "application/merge-patch+json"
Body = dict[str, Any]


@dataclass
class Stage:
    """`lab.operator` is the process under measurement."""

    api: ApiServer
    lab: Lab

    @classmethod
    @contextmanager
    def open(cls, *, nodes: int = 0) -> Iterator[Stage]:
        with tempfile.TemporaryDirectory() as folder, ApiServer.start(Path(folder)) as api:
            api.apply_crd()
            api.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
            lab = new_lab(api, NAMESPACE)
            # Services have addresses of loopback here, and one engine serves them all.
            lab.serve("0.0.0.0")
            cluster = Cluster(api, NAMESPACE)
            cluster.start()
            try:
                for index in range(nodes):
                    lab.add_node(f"node-{index}")
                yield cls(api, lab)
            finally:
                cluster.stop()
                # What stands in the API goes with it: to delete a thousand takes minutes.
                lab.stop()

    def create(self, registries: Sequence[str], *, threads: int = 10) -> None:
        """As ten users at once would."""

        def one(name: str) -> None:
            code, answer = self.api.request("POST", self.path(LREG), manifest(name))
            assert code == 201, answer

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, registries))

    def ready(self) -> int:
        return sum(
            condition["type"] == "Ready" and condition["status"] == "True"
            for item in self.items(LREG)
            for condition in item.get("status", {}).get("conditions", [])
        )

    def items(self, resource: str) -> list[Body]:
        code, body = self.api.request("GET", self.path(resource))
        assert code == 200, body
        items: list[Body] = body["items"]
        return items

    def path(self, resource: str) -> str:
        return PATHS[resource].format(namespace=NAMESPACE)

    def until(
        self, is_true: Callable[[], bool], *, seconds: float, what: str, every: float = 0.5
    ) -> float:
        """The seconds that it took. Raises RuntimeError."""
        started = time.monotonic()
        while not is_true():
            if time.monotonic() - started > seconds:
                raise RuntimeError(f"{what}: not within {seconds:.0f} s")
            time.sleep(every)
        return time.monotonic() - started

    def requests(self, since: float) -> list[Body]:
        """The operator's requests of the audit log from then on (seconds since the epoch), but
        those on its Lease."""
        return [
            event
            for event in self.api.audit(since=since)
            if str(event.get("userAgent", "")).startswith((OPERATOR, KOPF))
            and (event.get("objectRef") or {}).get("resource") != "leases"
            and epoch(event["requestReceivedTimestamp"]) >= since
        ]

    @property
    def rss(self) -> float:
        """Of the operator, in MiB."""
        assert self.lab.operator is not None
        status = Path(f"/proc/{self.lab.operator.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def lowest_rss(self, seconds: float) -> float:
        """The minimum over a while: what is garbage by then counts for nothing."""
        lowest = self.rss
        for _ in range(int(seconds)):
            time.sleep(1)
            lowest = min(lowest, self.rss)
        return lowest


class Peak:
    """The operator's largest RSS while this is entered, in MiB."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.mib = 0.0

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self.mib = max(self.mib, self._stage.rss)


def most_within(times: Sequence[float], seconds: float) -> int:
    """The largest number of these times in any window of so many seconds."""
    return max((sum(0 <= t - start < seconds for t in times) for start in times), default=0)


def manifest(name: str) -> Body:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"host": f"{name}.example.internal", "storage": {"size": "1Gi"}},
    }


def epoch(timestamp: str) -> float:
    return datetime.datetime.fromisoformat(timestamp).timestamp()


def is_write(event: Body) -> bool:
    return event["verb"] in ("create", "update", "patch", "delete", "deletecollection")
