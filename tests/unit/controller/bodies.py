"""What the tests of the controller's parts are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from localregistry.controller.claims import Claim, Claims, Key
from localregistry.controller.fleet import Fleet
from localregistry.controller.nodetrust import NodeTrust
from localregistry.resources import probe_image
from localregistry.resources.config import OperatorConfig
from localregistry.spec import names
from localregistry.spec.hosts import Host
from localregistry.spec.registry import LocalRegistry
from localregistry.trust import TrustDocument, TrustedRegistry
from unit.controller.standin_api import CREATED, DELETED, StandInApi

CONFIG = OperatorConfig()
SYSTEM = CONFIG.namespace
NAMESPACE = "team"
KEY: Key = (NAMESPACE, "dev")
CHILD = "dev-registry"
HOST = "registry.example.internal"

Body = dict[str, Any]


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def lreg(
    *,
    name: str = "dev",
    uid: str = "u1",
    status: Body | None = None,
    finalizers: tuple[str, ...] = (names.FINALIZER,),
    deleted: bool = False,
    annotations: dict[str, str] | None = None,
    created: str = CREATED,
    **spec: Any,
) -> Body:
    """A LocalRegistry as the API server holds it, ephemeral unless `storage` says otherwise."""
    meta: Body = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": uid,
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": created,
        "finalizers": list(finalizers),
        "annotations": annotations or {},
    }
    if deleted:
        meta["deletionTimestamp"] = DELETED
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": meta,
        "spec": {"host": HOST, "storage": {"ephemeral": True}, **spec},
        "status": status or {},
    }


def read(**given: Any) -> LocalRegistry:
    return LocalRegistry.from_body(lreg(**given))


def claim(uid: str = "u1", *, name: str = "dev", host: str = HOST, reachable: bool = True) -> Claim:
    return Claim(
        uid=uid,
        namespace=NAMESPACE,
        name=name,
        created=CREATED,
        host=Host.parse(host),
        managed=True,
        address="10.96.0.9",
        reachable=reachable,
        served=True,
    )


def entry(
    uid: str = "u1", *, host: str = HOST, name: str = "dev", **flags: bool
) -> TrustedRegistry:
    probe = probe_image.trust_probe(Host.parse(host), uid)
    return TrustedRegistry(uid, f"{NAMESPACE}/{name}", (host,), "10.96.0.9", 80, probe, **flags)


def document(*entries: TrustedRegistry) -> TrustDocument:
    return TrustDocument(entries)


def node(name: str = "n1", *, ready: bool = True, labels: Mapping[str, str] | None = None) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "creationTimestamp": CREATED,
            "labels": {"kubernetes.io/os": "linux", **(labels or {})},
        },
        "status": {
            "nodeInfo": {"containerRuntimeVersion": "containerd://1.7.24"},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def agent(node_name: str = "n1", *, uid: str = "p1", address: str = "127.0.0.1") -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"agent-{uid}", "namespace": SYSTEM, "uid": uid},
        "spec": {"nodeName": node_name},
        "status": {"podIP": address},
    }


async def until(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Waits for something that another task is about to do; long, as a busy machine may stall."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


class Trust:
    """A NodeTrust with all that it says to others written down."""

    def __init__(
        self, api: StandInApi, fleet: Fleet | None = None, config: OperatorConfig = CONFIG
    ) -> None:
        self.clock = Clock(1000.0)
        self.fleet = fleet or Fleet()
        self.woken: list[Key] = []
        self.trust_woken = 0
        self.told: list[str] = []
        self.trust = NodeTrust(
            api,
            config,
            self.fleet,
            wake=self.woken.append,
            wake_trust=self._wake_trust,
            tell=self.told.append,
            clock=self.clock,
            now=Clock(),
        )

    @property
    def claims(self) -> Claims:
        return self.trust.claims

    def _wake_trust(self) -> None:
        self.trust_woken += 1

    def forget_woken(self) -> None:
        self.woken.clear()
        self.told.clear()
        self.trust_woken = 0
