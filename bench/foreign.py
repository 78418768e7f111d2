"""P4's second half: objects that are not ours must cost the operator nothing."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

from e2e.cluster import say

from .bare import CONNECTIONS, Connection
from .control_plane import Body, Stage
from .figures import Figure


def foreign(stage: Stage, count: int) -> list[Figure]:
    """P4: what is not ours must cost nothing."""
    # RSS is the least of some seconds, so that garbage counts for nothing; few objects need few.
    rest = max(3.0, min(30.0, count / 100))
    say(f"  {count} objects of others")
    before = stage.lowest_rss(rest)
    kinds: dict[str, Body] = {
        "/api/v1/namespaces/default/configmaps": {"data": {"k": "v" * 100}},
        "/api/v1/namespaces/default/secrets": {"stringData": {"k": "v" * 100}},
        "/apis/apps/v1/namespaces/default/deployments": {
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"a": "b"}},
                "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "a", "image": "a"}]},
                },
            }
        },
    }

    own = threading.local()

    def create(index: int) -> None:
        path, body = list(kinds.items())[index % len(kinds)]
        name = f"foreign-{index}"
        if not hasattr(own, "connection"):
            own.connection = Connection(stage.api)
        text = json.dumps({**body, "metadata": {"name": name}}).encode()
        assert own.connection.request("POST", path, text, "application/json") == 201, path

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(create, range(count)))
    after = stage.lowest_rss(rest * 2)
    grown = abs(after - before)
    detail = f"from {before:.1f} to {after:.1f} MiB; ConfigMaps, Secrets and Deployments by turns"
    return [Figure(f"RSS, change by {count} objects of others", grown, "MiB", 5, detail)]
