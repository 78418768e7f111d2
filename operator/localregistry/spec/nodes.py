"""`spec.nodes`: what is done to the cluster's nodes, and to which of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .fields import Fields
from .selector import Selector


class Management(StrEnum):
    """What the operator does to nodes."""

    MANAGED = "Managed"
    PREVIEW = "Preview"
    UNMANAGED = "Unmanaged"


class Resolve(StrEnum):
    """How a node finds the registry: at the Service's address, or by asking the node's own DNS."""

    CLUSTER_IP = "ClusterIP"
    DNS = "DNS"


@dataclass(frozen=True)
class Nodes:
    """`selector` without requirements selects every node."""

    management: Management = Management.MANAGED
    resolve: Resolve = Resolve.CLUSTER_IP
    selector: Selector = field(default_factory=Selector)

    @classmethod
    def from_fields(cls, fields: Fields) -> Nodes:
        """Raises InvalidSpec."""
        return cls(
            management=fields.one_of("management", Management, default=Management.MANAGED),
            resolve=fields.one_of("resolve", Resolve, default=Resolve.CLUSTER_IP),
            selector=Selector.from_fields(fields.object("selector")),
        )
