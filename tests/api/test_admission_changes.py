"""Which changes of a LocalRegistry are allowed, by a real API server."""

from __future__ import annotations

import pytest

from api.admission import COLLECTION, MERGE, Spec, lreg, says, with_host
from api.apiserver import ApiServer

_SSD = {"storage": {"size": "5Gi", "storageClassName": "ssd"}}
_CLASS_FIXED = "spec.storage.storageClassName: Forbidden: is immutable"
_KIND_FIXED = "spec.storage: Forbidden: must keep its kind"
_ONLY_GROWS = "spec.storage.size: Forbidden: may only grow: "

# before, merge patch of the spec, sentence of the refusal or "" where it is allowed
UPDATES: dict[str, tuple[Spec, Spec, str]] = {
    "another host": ({}, {"host": "other.example.com"}, ""),
    "another alias": ({"aliases": ["a.example"]}, {"aliases": ["b.example:80"]}, ""),
    "no alias any more": ({"aliases": ["a.example"]}, {"aliases": None}, ""),
    "the host among the aliases": (
        {"aliases": ["a.example"]},
        {"host": "a.example"},
        "spec.aliases: Invalid value: must not repeat spec.host",
    ),
    "another image": ({"image": "r:1"}, {"image": None}, ""),
    "a growing size": ({"storage": {"size": "5Gi"}}, {"storage": {"size": "6Gi"}}, ""),
    "the same size in words": ({"storage": {"size": "1Gi"}}, {"storage": {"size": "1024Mi"}}, ""),
    "a shrinking size": (
        {"storage": {"size": "5Gi"}},
        {"storage": {"size": "4Gi"}},
        _ONLY_GROWS + "4Gi is smaller than 5Gi",
    ),
    "no storage after a large one": (
        {"storage": {"size": "50Gi"}},
        {"storage": None},
        _ONLY_GROWS + "20Gi is smaller than 50Gi",
    ),
    "no storage after an ephemeral one": (
        {"storage": {"ephemeral": True}},
        {"storage": None},
        _KIND_FIXED,
    ),
    "a claim after a size": ({}, {"storage": {"size": None, "existingClaim": "a"}}, _KIND_FIXED),
    "ephemeral after a size": ({}, {"storage": {"size": None, "ephemeral": True}}, _KIND_FIXED),
    "a size after a claim": (
        {"storage": {"existingClaim": "a"}},
        {"storage": {"existingClaim": None, "size": "1Gi"}},
        _KIND_FIXED,
    ),
    "ephemeral after a claim": (
        {"storage": {"existingClaim": "a"}},
        {"storage": {"existingClaim": None, "ephemeral": True}},
        _KIND_FIXED,
    ),
    "another claim": (
        {"storage": {"existingClaim": "a"}},
        {"storage": {"existingClaim": "b"}},
        "spec.storage.existingClaim: Forbidden: is immutable",
    ),
    "another class": (_SSD, {"storage": {"storageClassName": "hdd"}}, _CLASS_FIXED),
    "no class any more": (_SSD, {"storage": {"storageClassName": None}}, _CLASS_FIXED),
    "a class later": ({}, {"storage": {"storageClassName": "ssd"}}, _CLASS_FIXED),
    "other access modes": (
        {},
        {"storage": {"accessModes": ["ReadWriteMany"]}},
        "spec.storage.accessModes: Forbidden: is immutable",
    ),
    "access modes by default again": ({}, {"storage": {"accessModes": None}}, ""),
    "another reclaim policy": ({}, {"storage": {"reclaimPolicy": "Delete"}}, ""),
    "an ingress class later": ({}, {"ingress": {"className": "nginx"}}, ""),
    "another ingress class": (
        {"ingress": {"className": "nginx"}},
        {"ingress": {"className": "traefik"}},
        "",
    ),
    "no ingress class any more": (
        {"ingress": {"className": "nginx"}},
        {"ingress": {"className": None}},
        "spec.ingress.className: Forbidden: can be changed but not removed",
    ),
    "no ingress section any more": (
        {"ingress": {"className": "nginx"}},
        {"ingress": None},
        "spec.ingress.className: Forbidden: can be changed but not removed",
    ),
    "no ingress at all": ({}, {"ingress": {"enabled": False}}, ""),
    "nodes left alone": ({}, {"nodes": {"management": "Unmanaged"}}, ""),
    "nodes looked at first": ({"nodes": {"management": "Preview"}}, {"nodes": None}, ""),
    "nodes by DNS, and fewer of them": (
        {},
        {"nodes": {"resolve": "DNS", "selector": {"matchLabels": {"disk": "ssd"}}}},
        "",
    ),
    "a selector that cannot be": (
        {"nodes": {"selector": {"matchLabels": {"disk": "ssd"}}}},
        {"nodes": {"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}},
        "spec.nodes.selector.matchExpressions[0].values: Invalid value: must have values where",
    ),
    "a public registry": ({}, {"host": "quay.io"}, "quay.io is a public registry"),
}


@pytest.mark.parametrize(("before", "patch", "sentence"), UPDATES.values(), ids=UPDATES)
def test_a_change_is_allowed_or_refused_with_its_sentence(
    api: ApiServer, namespace: str, before: Spec, patch: Spec, sentence: str
) -> None:
    collection = COLLECTION.replace("/default/", f"/{namespace}/")
    status, answer = api.request("POST", collection, lreg(with_host(before)))
    assert status == 201, answer
    path = f"{collection}/dev?fieldValidation=Strict"
    status, answer = api.request("PATCH", path, {"spec": patch}, content_type=MERGE)
    assert (status, answer.get("message", "")) == (200, "") if not sentence else status == 422
    assert says(answer.get("message", ""), sentence), answer


@pytest.mark.parametrize(
    ("capacity", "size", "sentence"),
    [
        ("5Gi", "5Gi", ""),
        ("5Gi", "6Gi", ""),
        ("5Gi", "4Gi", _ONLY_GROWS + "4Gi is smaller than 9Gi"),
        ("20Gi", "8Gi", _ONLY_GROWS + "8Gi is smaller than 9Gi"),
        ("?", "5Gi", _ONLY_GROWS + "5Gi is smaller than 9Gi"),
    ],
    ids=["to what it has", "to more", "below it", "of a volume that is larger", "of one unknown"],
)
def test_a_size_that_the_volume_never_got_may_be_taken_back(
    api: ApiServer, namespace: str, capacity: str, size: str, sentence: str
) -> None:
    collection = COLLECTION.replace("/default/", f"/{namespace}/")
    body = lreg(with_host({"storage": {"size": "9Gi"}}))
    assert api.request("POST", collection, body)[0] == 201
    path, told = f"{collection}/dev", {"status": {"storage": {"capacity": capacity}}}
    assert api.request("PATCH", f"{path}/status", told, content_type=MERGE)[0] == 200
    # What a user sends as status does not count.
    patch = {"spec": {"storage": {"size": size}}, "status": {"storage": {"capacity": "1Mi"}}}
    status, answer = api.request("PATCH", path, patch, content_type=MERGE)
    assert status == (422 if sentence else 200), answer
    assert says(answer.get("message", ""), sentence), answer
