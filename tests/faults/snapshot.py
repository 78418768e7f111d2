"""The state that a run ended in, without what may differ between two runs that did the same."""

from __future__ import annotations

import json
import re
from typing import Any

from api.apiserver import ApiServer
from api.lab import LREG, PATHS
from api.standin import SYSTEM
from localregistry.trust import DOCUMENT_KEY, TASK_ANNOTATION

Body = dict[str, Any]

CHILDREN = ("configmap", "deployment", "service", "ingress", "pvc")

# Times and counters of the API server's own. `generation` stays: an extra change would count.
_VOLATILE = {"resourceVersion", "creationTimestamp", "lastTransitionTime", "time", "nodePort"}
# Derived from UIDs, which are other ones in each run.
_DERIVED = re.compile(r"\b[0-9a-f]{64}\b|(?<=\")[0-9a-f]{16}(?=\")")
_UID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_ADDRESS = re.compile(r"\b127\.96\.\d+\.\d+\b")


def take(api: ApiServer, namespace: str) -> str:
    """All objects of the namespace, and what nodes are told, as normalised JSON."""
    state: dict[str, Any] = {}
    for resource in (LREG, *CHILDREN):
        for item in _items(api, PATHS[resource].format(namespace=namespace)):
            if item["metadata"]["name"] != "kube-root-ca.crt":
                state[f"{resource}/{item['metadata']['name']}"] = _normal(item)
    for resource in ("configmap", "daemonset"):
        for item in _items(api, PATHS[resource].format(namespace=SYSTEM)):
            if item["metadata"]["name"] == "kube-root-ca.crt":
                continue
            body = _normal(item)
            # The DaemonSet and the document outlive a run, so their counters go on.
            body["metadata"].pop("generation", None)
            if DOCUMENT_KEY in body.get("data", {}):
                body["data"] = json.loads(body["data"][DOCUMENT_KEY])
            state[f"{resource}/{item['metadata']['name']}"] = body
    for pod in _items(api, f"/api/v1/namespaces/{SYSTEM}/pods"):
        text = (pod["metadata"].get("annotations") or {}).get(TASK_ANNOTATION)
        state[f"task of {pod['metadata']['name']}"] = json.loads(text) if text else None
    return _anonymous(json.dumps(state, indent=1, sort_keys=True))


def _items(api: ApiServer, path: str) -> list[Body]:
    code, body = api.request("GET", path)
    assert code == 200, f"{path}: {code} {body}"
    items: list[Body] = body["items"]
    return items


def _normal(value: Any) -> Any:
    match value:
        case dict():
            kept = {k: _normal(v) for k, v in value.items() if k not in _VOLATILE}
            if "deletionTimestamp" in kept:
                kept["deletionTimestamp"] = "<time>"
            if isinstance(kept.get("managedFields"), list):
                kept["managedFields"] = sorted(
                    kept["managedFields"],
                    key=lambda entry: (entry["manager"], entry.get("subresource", "")),
                )
            return kept
        case list():
            return [_normal(item) for item in value]
    return value


def _anonymous(text: str) -> str:
    """Each UID and address by the order in which it comes, so that who refers to whom stays."""
    for pattern, word in ((_UID, "uid"), (_ADDRESS, "address"), (_DERIVED, "digest")):
        names: dict[str, str] = {}
        for match in pattern.finditer(text):
            names.setdefault(match.group(), f"<{word} {len(names)}>")
        text = pattern.sub(lambda found, names=names: names[found.group()], text)  # type: ignore[misc]
    return text
