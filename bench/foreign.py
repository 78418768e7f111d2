"""P4's second half: objects that are not ours must cost the operator nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from .control_plane import Body, Stage
from .figures import Figure

CONNECTIONS = 10


def foreign(stage: Stage, count: int) -> list[Figure]:
    """P4: what is not ours must cost nothing."""
    # A tenth of a second per hundred objects, at least: what is garbage by then is none of theirs.
    rest = max(3.0, min(30.0, count / 100))
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

    def create(index: int) -> None:
        path, body = list(kinds.items())[index % len(kinds)]
        name = f"foreign-{index}"
        code, answer = stage.api.request("POST", path, {**body, "metadata": {"name": name}})
        assert code == 201, answer

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(create, range(count)))
    after = stage.lowest_rss(rest * 2)
    grown = abs(after - before)
    detail = f"from {before:.1f} to {after:.1f} MiB; ConfigMaps, Secrets and Deployments by turns"
    return [Figure(f"RSS, change by {count} objects of others", grown, "MiB", 5, detail)]
