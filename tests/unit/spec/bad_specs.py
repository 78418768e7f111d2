"""Bad specs beside the host: one table for `spec` and for the CRD.

Each names the sentence of its refusal in both: (spec, in the CRD, in the package). None in the
package's place stands for what only the structural schema can judge, or need not.
"""

from __future__ import annotations

from typing import Any

from unit.spec.good_specs import expressions

# Where this package and the API server's own reader of quantities could differ.
BAD_SIZES = (
    *("0", "0Gi", "-0", "-1Gi", "1", "10", "100m", "1Ki", "1e3", "1e-3", "1048575", "1048575.9"),
    *("abc", "Gi", "10GB", "1gi", "1KI", "1ki", "1Zi", "1Z", "1 Gi", " 1Gi", "1Gi ", "1Gi\n"),
    *("0x100000000", "1e", "1e1.5", "1_000_000_000", "1,5Gi", "--1Gi", "+-1Gi", ".", "+", "Ki"),
    *("NaN", "Inf", "1Gi1", "1GiB", "1G1", "\uff11Gi", "\u0661Gi", "1mi", "{{ .Size }}", "1;2Gi"),
)

_KIND = "must have exactly one of size, existingClaim and ephemeral: true"
_SIZE = "must be a quantity of at least 1Mi, for example 20Gi"
_NAME = "must be the name of an object"
_BOOLEAN = "must be of type boolean"
_OBJECT = "must be of type object"
_STRING = "must be of type string"
_PORT = "must be a port from 1 to 65535"
_KEY = "must be the key of a label, such as disk or example.com/disk"
_VALUE = "must be the value of a label: up to 63 letters, digits and inner - _ and dots"
_WANTED = "must have values where the operator is In or NotIn"
_NEEDLESS = "must have no values where the operator is Exists or DoesNotExist"
_NGINX = "nginx.ingress.kubernetes.io"


def _labels(**labels: Any) -> dict[str, Any]:
    return {"nodes": {"selector": {"matchLabels": labels}}}


def _annotation(name: str, value: str = "x") -> dict[str, Any]:
    return {"ingress": {"annotations": {name: value}}}


BAD_SPECS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "an alias twice": (
        {"aliases": ["a.example", "b.example", "a.example"]},
        'spec.aliases[2]: Duplicate value: "a.example"',
        "spec.aliases[2] a.example is there twice",
    ),
    "the host as an alias": (
        {"aliases": ["a.example", "registry.example.internal"]},
        "spec.aliases: Invalid value: must not repeat spec.host",
        "spec.aliases must not repeat spec.host",
    ),
    "more aliases than 16": (
        {"aliases": [f"r{i}.example.com" for i in range(17)]},
        "spec.aliases: Too many: 17: must have at most 16 items",
        "spec.aliases must have at most 16 items",
    ),
    "a thousand aliases": (
        {"aliases": [f"r{i}.example.com" for i in range(1000)]},
        "spec.aliases: Too many: 1000: must have at most 16 items",
        "spec.aliases must have at most 16 items",
    ),
    "an empty alias": (
        {"aliases": [""]},
        "spec.aliases[0]: Invalid value",
        "spec.aliases[0] must be a DNS name with an optional port",
    ),
    "an alias that is much too long": (
        {"aliases": ["a." * 5000]},
        "spec.aliases[0]: Too long: may not be more than 259",
        "spec.aliases[0] must have a name of at most 253 characters",
    ),
    "an alias as a number": ({"aliases": [5]}, _STRING, "spec.aliases[0] must be a string"),
    "an alias null": ({"aliases": [None]}, _STRING, "spec.aliases[0] must be a string"),
    "aliases as text": (
        {"aliases": "a.example"},
        "must be of type array",
        "spec.aliases must be a list, not a string",
    ),
    "no kind of storage": ({"storage": {}}, _KIND, _KIND),
    "only ephemeral: false": ({"storage": {"ephemeral": False}}, _KIND, _KIND),
    "size and claim": ({"storage": {"size": "1Gi", "existingClaim": "a"}}, _KIND, _KIND),
    "size and ephemeral": ({"storage": {"size": "1Gi", "ephemeral": True}}, _KIND, _KIND),
    "claim and ephemeral": ({"storage": {"existingClaim": "a", "ephemeral": True}}, _KIND, _KIND),
    **{f"size {size!r}": ({"storage": {"size": size}}, _SIZE, _SIZE) for size in BAD_SIZES},
    "size too long": ({"storage": {"size": "1" * 33}}, "Too long", _SIZE),
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
    "page enabled: yes": ({"page": {"enabled": "yes"}}, _BOOLEAN, "must be true or false"),
    "page as a truth": ({"page": True}, _OBJECT, "must be an object, not true or false"),
    "ingress enabled: yes": ({"ingress": {"enabled": "yes"}}, _BOOLEAN, "must be true or false"),
    "class with a line break": ({"ingress": {"className": "a\nb"}}, _NAME, _NAME),
    "empty class": ({"ingress": {"className": ""}}, "at least 1 chars long", None),
    "tls without a secret": (
        {"ingress": {"tls": {}}},
        "spec.ingress.tls.secretName: Required value",
        "spec.ingress.tls.secretName is required",
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
    "port 0": ({"service": {"port": 0}}, "greater than or equal to 1", _PORT),
    "port beyond the last": ({"service": {"port": 65536}}, "less than or equal to 65535", _PORT),
    "port as text": (
        {"service": {"port": "5000"}},
        "must be of type integer",
        "must be a whole number",
    ),
    "node port 0": (
        {"service": {"type": "NodePort", "nodePort": 0}},
        "greater than or equal to 1",
        _PORT,
    ),
    "node port of a cluster IP": (
        {"service": {"nodePort": 30500}},
        "nodePort is for the types NodePort and LoadBalancer only",
        "nodePort is for the types NodePort and LoadBalancer only",
    ),
    "unknown management": (
        {"nodes": {"management": "Sometimes"}},
        'supported values: "Managed", "Preview", "Unmanaged"',
        "must be one of Managed, Preview, Unmanaged",
    ),
    "unknown way to resolve": (
        {"nodes": {"resolve": "hosts"}},
        'supported values: "ClusterIP", "DNS"',
        "must be one of ClusterIP, DNS",
    ),
    "label with a blank": (_labels(**{"a b": "x"}), _KEY, _KEY),
    "label without a name": (_labels(**{"example.com/": "x"}), _KEY, _KEY),
    "label with an upper-case prefix": (_labels(**{"Example.com/a": "x"}), _KEY, _KEY),
    "label with two slashes": (_labels(**{"a/b/c": "x"}), _KEY, _KEY),
    "label that is too long": (_labels(**{"k" * 64: "x"}), _KEY, _KEY),
    "label with a line break": (_labels(**{"a\n": "x"}), _KEY, _KEY),
    "value with a blank": (_labels(a="b c"), _VALUE, _VALUE),
    "value that ends in a dot": (_labels(a="b."), _VALUE, _VALUE),
    "value as a number": (_labels(a=1), _STRING, "must map strings to strings"),
    "more labels than 16": (
        _labels(**{f"k{i}": "v" for i in range(17)}),
        "spec.nodes.selector.matchLabels: Too many: 17: must have at most 16 items",
        None,
    ),
    "selector as a list": ({"nodes": {"selector": []}}, _OBJECT, "must be an object, not a list"),
    "expression without a key": (
        expressions({"operator": "Exists"}),
        "spec.nodes.selector.matchExpressions[0].key: Required value",
        "spec.nodes.selector.matchExpressions.key is required",
    ),
    "expression without an operator": (
        expressions({"key": "a"}),
        "spec.nodes.selector.matchExpressions[0].operator: Required value",
        "spec.nodes.selector.matchExpressions.operator is required",
    ),
    "expression of an unknown operator": (
        expressions({"key": "a", "operator": "Gt", "values": ["1"]}),
        'supported values: "In", "NotIn", "Exists", "DoesNotExist"',
        "must be one of In, NotIn, Exists, DoesNotExist",
    ),
    "expression of a bad key": (expressions({"key": "-a", "operator": "Exists"}), _KEY, _KEY),
    "expression of a bad value": (
        expressions({"key": "a", "operator": "In", "values": ["ok", "-"]}),
        _VALUE,
        _VALUE,
    ),
    "In without values": (expressions({"key": "a", "operator": "In"}), _WANTED, _WANTED),
    "NotIn with no value": (
        expressions({"key": "a", "operator": "NotIn", "values": []}),
        _WANTED,
        _WANTED,
    ),
    "Exists with a value": (
        expressions({"key": "a", "operator": "Exists", "values": ["b"]}),
        _NEEDLESS,
        _NEEDLESS,
    ),
    "DoesNotExist with a value": (
        expressions({"key": "a", "operator": "DoesNotExist", "values": ["b"]}),
        _NEEDLESS,
        _NEEDLESS,
    ),
    "more values than 64": (
        expressions({"key": "a", "operator": "In", "values": [f"v{i}" for i in range(65)]}),
        "Too many: 65: must have at most 64 items",
        None,
    ),
    "suspend as text": ({"suspend": "true"}, _BOOLEAN, "must be true or false"),
    "host as a number": ({"host": 5}, _STRING, "must be a string, not a number"),
    "host null": ({"host": None}, "spec.host: Required value", "spec.host is required"),
}
