"""Claims of registries, and what is decided of them."""

from __future__ import annotations

from localregistry.controller.claims import Claim, Claims
from localregistry.controller.grants import decide
from localregistry.spec.hosts import Host
from localregistry.trust import TrustDocument


def claim(name: str, *, host: str = "registry.example.internal", created: str = "1") -> Claim:
    return Claim(
        uid=f"uid-{name}",
        namespace="registries",
        name=name,
        created=f"2026-01-0{created}T00:00:00Z",
        host=Host.parse(host),
        managed=True,
        address="10.96.0.10",
        reachable=True,
        served=True,
    )


def claims(*items: Claim) -> Claims:
    table = Claims()
    for item in items:
        table.put(item)
    return table


def granted(table: Claims, current: TrustDocument | None = None) -> list[str]:
    return [e.uid for e in decide(table, current or TrustDocument()).document.registries]
