"""Good and bad specs beside the host: one table for `spec` and for the CRD.

Each bad one names the sentence of its refusal in both: (spec, in the CRD, in the package). None
in the package's place stands for what only the structural schema can judge, or need not.
"""

from __future__ import annotations

from typing import Any

GOOD_SPECS: dict[str, dict[str, Any]] = {
    "nothing but the host": {},
    "a size": {"storage": {"size": "1.5Gi"}},
    "the smallest size": {"storage": {"size": "1Mi"}},
    "a size with exponent": {"storage": {"size": "1e9"}},
    "a size and its class": {"storage": {"size": "5Gi", "storageClassName": "fast.ssd"}},
    "a shared volume": {"storage": {"size": "5Gi", "accessModes": ["ReadWriteMany"]}},
    "an existing claim": {"storage": {"existingClaim": "old-images"}},
    "no volume at all": {"storage": {"ephemeral": True}},
    "a size and ephemeral: false": {"storage": {"size": "5Gi", "ephemeral": False}},
    "a claim that goes with it": {"storage": {"size": "5Gi", "reclaimPolicy": "Delete"}},
    "null for what has a default": {"storage": None, "ingress": None, "nodes": None},
    "an image by digest": {"image": f"r.example.com:5000/registry@sha256:{'a' * 64}"},
    "pull secrets": {"imagePullSecrets": [{"name": "a"}, {"name": "b"}]},
    "resources": {
        "resources": {
            "requests": {"cpu": 1, "memory": "1Gi"},
            "limits": {"cpu": "1000m", "memory": "1Gi"},
        }
    },
    "scheduling": {
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [
            {"operator": "Exists"},
            {"key": "a", "value": "b", "effect": "NoExecute", "tolerationSeconds": 60},
        ],
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 1,
                        "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
                    }
                ]
            }
        },
    },
    "no ingress": {"ingress": {"enabled": False}},
    "an ingress with everything": {
        "ingress": {
            "className": "nginx-internal",
            "annotations": {
                "nginx.ingress.kubernetes.io/proxy-body-size": "2g",
                "nginx.ingress.kubernetes.io/whitelist-source-range": "10.0.0.0/8, fd00::/8",
                "nginx.org/proxy-buffers": "4 32k",
                "cert-manager.io/cluster-issuer": "internal_ca",
            },
            "tls": {"secretName": "registry-tls"},
        }
    },
    "a node port": {"service": {"type": "NodePort"}},
    "nodes left alone": {"nodes": {"management": "Unmanaged"}},
    "suspended": {"suspend": True},
}

_KIND = "must have exactly one of size, existingClaim and ephemeral: true"
_SIZE = "must be a quantity of at least 1Mi, for example 20Gi"
_NAME = "must be the name of an object"
_BOOLEAN = "must be of type boolean"
_OBJECT = "must be of type object"
_STRING = "must be of type string"
_NGINX = "nginx.ingress.kubernetes.io"


def _annotation(name: str, value: str = "x") -> dict[str, Any]:
    return {"ingress": {"annotations": {name: value}}}


BAD_SPECS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "no kind of storage": ({"storage": {}}, _KIND, _KIND),
    "only ephemeral: false": ({"storage": {"ephemeral": False}}, _KIND, _KIND),
    "size and claim": ({"storage": {"size": "1Gi", "existingClaim": "a"}}, _KIND, _KIND),
    "size and ephemeral": ({"storage": {"size": "1Gi", "ephemeral": True}}, _KIND, _KIND),
    "claim and ephemeral": ({"storage": {"existingClaim": "a", "ephemeral": True}}, _KIND, _KIND),
    "size -1Gi": ({"storage": {"size": "-1Gi"}}, _SIZE, _SIZE),
    "size 0": ({"storage": {"size": "0"}}, _SIZE, _SIZE),
    "size 10": ({"storage": {"size": "10"}}, _SIZE, _SIZE),
    "size 100m": ({"storage": {"size": "100m"}}, _SIZE, _SIZE),
    "size abc": ({"storage": {"size": "abc"}}, _SIZE, _SIZE),
    "size 10GB": ({"storage": {"size": "10GB"}}, _SIZE, _SIZE),
    "size as a number": ({"storage": {"size": 10}}, _STRING, "must be a string, not a number"),
    "size null": ({"storage": {"size": None}}, _KIND, _KIND),
    "claim no name": ({"storage": {"existingClaim": "A/b"}}, _NAME, _NAME),
    "class no name": ({"storage": {"size": "1Gi", "storageClassName": "a b"}}, _NAME, _NAME),
    "class without size": (
        {"storage": {"ephemeral": True, "storageClassName": "fast"}},
        "spec.storage.storageClassName: Invalid value: may only be given with size",
        "spec.storage.storageClassName may only be given with size",
    ),
    "deleting an existing claim": (
        {"storage": {"existingClaim": "a", "reclaimPolicy": "Delete"}},
        "must not be Delete with existingClaim",
        "must not be Delete with existingClaim",
    ),
    "unknown reclaim policy": (
        {"storage": {"size": "1Gi", "reclaimPolicy": "Keep"}},
        'supported values: "Retain", "Delete"',
        "must be one of Retain, Delete",
    ),
    "read-only volume": (
        {"storage": {"size": "1Gi", "accessModes": ["ReadOnlyMany"]}},
        'supported values: "ReadWriteOnce"',
        "must be of ReadWriteOnce",
    ),
    "image with a blank": (
        {"image": "registry 3"},
        "must be an image reference, such as registry:3.1.1",
        "must be an image reference, such as registry:3.1.1",
    ),
    "image as a shell word": (
        {"image": "$(reboot)"},
        "must be an image reference",
        "must be an image reference",
    ),
    "pull secret twice": ({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}, "Duplicate", None),
    "pull secret as text": ({"imagePullSecrets": ["a"]}, _OBJECT, "must be an object"),
    "pull secret without name": (
        {"imagePullSecrets": [{}]},
        "spec.imagePullSecrets[0].name: Required value",
        "name is required",
    ),
    "requests above limits": (
        {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}},
        "must not request more than its limits allow",
        None,
    ),
    "resources below nothing": (
        {"resources": {"requests": {"cpu": "-1"}}},
        "must be a quantity of 0 or more, such as 500m or 1Gi",
        None,
    ),
    "resources no quantity": (
        {"resources": {"limits": {"memory": "much"}}},
        "must be a quantity of 0 or more, such as 500m or 1Gi",
        None,
    ),
    "toleration of no kind": (
        {"tolerations": [{"operator": "Maybe"}]},
        'supported values: "Exists", "Equal"',
        None,
    ),
    "tolerations as an object": ({"tolerations": {}}, "must be of type array", "must be a list"),
    "node selector with a number": ({"nodeSelector": {"a": 1}}, _STRING, "must map strings"),
    "affinity as a list": ({"affinity": []}, _OBJECT, "must be an object, not a list"),
    "ingress as text": ({"ingress": "nginx"}, _OBJECT, "must be an object, not a string"),
    "ingress enabled: yes": ({"ingress": {"enabled": "yes"}}, _BOOLEAN, "must be true or false"),
    "class with a line break": ({"ingress": {"className": "a\nb"}}, _NAME, _NAME),
    "empty class": ({"ingress": {"className": ""}}, "at least 1 chars long", None),
    "tls without a secret": (
        {"ingress": {"tls": {}}},
        "spec.ingress.tls.secretName: Required value",
        None,
    ),
    "server snippet": (_annotation(f"{_NGINX}/server-snippet"), "allow-list", "allow-list"),
    "configuration snippet": (
        _annotation(f"{_NGINX}/configuration-snippet"),
        "allow-list",
        "allow-list",
    ),
    "authentication elsewhere": (_annotation(f"{_NGINX}/auth-url"), "allow-list", "allow-list"),
    "snippets of F5's controller": (
        _annotation("nginx.org/location-snippets"),
        "allow-list",
        "allow-list",
    ),
    "annotation that ends a directive": (
        _annotation(f"{_NGINX}/proxy-body-size", "0; lua_code_cache off"),
        "must have values of letters",
        "must have values of letters",
    ),
    "annotation with a line break": (
        _annotation(f"{_NGINX}/proxy-body-size", "0\n"),
        "must have values of letters",
        "must have values of letters",
    ),
    "unknown Service type": (
        {"service": {"type": "ExternalName"}},
        'supported values: "ClusterIP", "NodePort", "LoadBalancer"',
        "must be one of ClusterIP, NodePort, LoadBalancer",
    ),
    "unknown management": (
        {"nodes": {"management": "Preview"}},
        'supported values: "Managed", "Unmanaged"',
        "must be one of Managed, Unmanaged",
    ),
    "suspend as text": ({"suspend": "true"}, _BOOLEAN, "must be true or false"),
    "host as a number": ({"host": 5}, _STRING, "must be a string, not a number"),
    "host null": ({"host": None}, "spec.host: Required value", "spec.host is required"),
}
