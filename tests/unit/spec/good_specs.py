"""Good specs beside the host: one table for `spec` and for the CRD."""

from __future__ import annotations

from typing import Any


def expressions(*expressions: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": {"selector": {"matchExpressions": list(expressions)}}}


# Where this package and the API server's own reader of quantities could differ.
GOOD_SIZES = (
    *("1Ei", "1E", "1048576", "1048576000m", "1.5Gi", "+1Gi", ".5Gi", "1.Gi", "01Gi", "1e9", "1E9"),
    *("1e+9", "1048576.5", "1073741824000000n", "9223372036854775807", "0.001Ti"),
)

GOOD_SPECS: dict[str, dict[str, Any]] = {
    "nothing but the host": {},
    "aliases": {"aliases": ["registry.example.internal:5000", "other.example", "10.100.0.1:30500"]},
    "no alias": {"aliases": []},
    "as many aliases as there may be": {"aliases": [f"r{i}.example.com" for i in range(16)]},
    **{f"size {size!r}": {"storage": {"size": size}} for size in GOOD_SIZES},
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
    "no page": {"page": {"enabled": False}},
    "a page by default": {"page": {}},
    "null for the page": {"page": None},
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
    "a node port of one's own": {"service": {"type": "NodePort", "nodePort": 30500}},
    "a port of a load balancer": {"service": {"type": "LoadBalancer", "port": 5000}},
    "a port of a load balancer and of the nodes": {
        "service": {"type": "LoadBalancer", "port": 65535, "nodePort": 30501}
    },
    "a port of the cluster IP": {"service": {"port": 443}},
    "null for the ports": {"service": {"port": None, "nodePort": None}},
    "nodes left alone": {"nodes": {"management": "Unmanaged"}},
    "nodes only looked at": {"nodes": {"management": "Preview"}},
    "nodes that resolve the name": {"nodes": {"resolve": "DNS"}},
    "all nodes by an empty selector": {"nodes": {"selector": {}}},
    "nodes by labels": {
        "nodes": {"selector": {"matchLabels": {"disk": "ssd", "example.com/Pool_1": "", "a": "0"}}}
    },
    "nodes by every operator": expressions(
        {"key": "disk", "operator": "In", "values": ["ssd", "nvme", ""]},
        {"key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist"},
        {"key": "zone", "operator": "NotIn", "values": ["a"]},
        {"key": "gpu", "operator": "Exists", "values": []},
    ),
    "nodes by the largest selector": {
        "nodes": {
            "selector": {
                "matchLabels": {f"{'p' * 253}/{'k' * 61}{i:02}": "v" * 63 for i in range(16)},
                "matchExpressions": [
                    {"key": f"k{i}", "operator": "In", "values": [f"v{j}" for j in range(64)]}
                    for i in range(16)
                ],
            }
        }
    },
    "suspended": {"suspend": True},
}
