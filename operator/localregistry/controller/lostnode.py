"""Names the node that a registry waits for: pure.

A pod whose node is lost is only "not ready" to its Deployment, and the one in its place fits "no
node". The claim knows for which node its volume was made, and the watch of nodes how that one is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localregistry.controller.fleet import Node
from localregistry.spec.conditions import Condition

# Written by the scheduler where the class binds at the first pod, as those of local volumes do.
SELECTED_NODE = "volume.kubernetes.io/selected-node"
# Whoever keeps an old message must not keep an old word on the node.
_TOLD = re.compile(r"Node \S+, for which the volume was made, is [^:]*: [^.]*\. ")


def tell(
    condition: Condition, claim: Mapping[str, Any] | None, nodes: Mapping[str, Node]
) -> Condition:
    """`condition` (RegistryAvailable, not True) with the node that is not Ready, if it is so.

    A volume that can move is not bound to that node; the API tells it only to who may read volumes.
    """
    message = _TOLD.sub("", condition.message)
    name = ((claim or {}).get("metadata", {}).get("annotations") or {}).get(SELECTED_NODE)
    node = nodes.get(str(name))
    if name and nodes and not (node and node.ready):
        how = "not Ready" if node else "gone"
        advice = "a volume that is local to it comes back with it only"
        message = f"Node {name}, for which the volume was made, is {how}: {advice}. {message}"
    return replace(condition, message=message)
