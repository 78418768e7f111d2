"""Every input that admission and the operator's own check are asked about: one table for both.

`INPUTS` maps a name to an `Input`. Both must give the same verdict on it; the few that only the
structural schema judges, since nothing of ours reads them, say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from unit.spec.bad_specs import BAD_SPECS
from unit.spec.good_specs import GOOD_SPECS
from unit.spec.host_table import BAD_ALIASES, BAD_HOSTS, GOOD_ALIASES, GOOD_HOSTS

CRD = Path(__file__).resolve().parents[3] / "crds" / "localregistries.yaml"
CRD_SCHEMA: dict[str, Any] = yaml.safe_load(CRD.read_text(encoding="utf-8"))["spec"]["versions"][0][
    "schema"
]["openAPIV3Schema"]["properties"]["spec"]
HOST = "registry.example.internal"

# One value of each shape that JSON knows, and some of which a careless reader makes another.
SHAPES: dict[str, Any] = {
    "null": None,
    "a boolean": True,
    "a number": 7,
    "a fraction": 1.5,
    "text": "x",
    "an empty list": [],
    "a list": [{}],
    "an object": {"x": "y"},
}
# Of a pod's spec, and passed on: the API server reads them, and once more in the Deployment.
OF_PODS = ("resources", "tolerations", "affinity")


class Input(NamedTuple):
    """`good`: whether it is to be accepted. `schema_only`: nothing of ours need refuse it."""

    spec: Any
    good: bool
    schema_only: bool = False


def _hosts() -> Iterator[tuple[str, Input]]:
    for host in GOOD_HOSTS:
        yield f"host {host!r}", Input({"host": host}, True)
    for host in (*BAD_HOSTS, "", "a." * 5000):
        yield f"host {host[:80]!r}", Input({"host": host}, False)
    for alias in GOOD_ALIASES:
        if alias != HOST:
            yield f"alias {alias!r}", Input({"host": HOST, "aliases": [alias]}, True)
    for alias in BAD_ALIASES:
        yield f"alias {alias!r}", Input({"host": HOST, "aliases": [alias]}, False)


def _specs() -> Iterator[tuple[str, Input]]:
    for name, spec in GOOD_SPECS.items():
        yield name, Input({"host": HOST} | spec, True)
    for name, (spec, _, ours) in BAD_SPECS.items():
        yield name, Input({"host": HOST} | spec, False, schema_only=ours is None)


def _shapes() -> Iterator[tuple[str, Input]]:
    """Every field with every shape that is not its own."""
    for name, value in SHAPES.items():
        if name != "an object":
            yield f"spec is {name}", Input(value, False)
    for path, inner in _fields(CRD_SCHEMA, ()):
        for name, value in SHAPES.items():
            if value is None or _is_of(value, inner) or (path[0] in OF_PODS and len(path) > 1):
                continue
            spec = _nested(path, value)
            if path[:2] == ("storage", "storageClassName"):
                spec["storage"]["size"] = "1Gi"
            yield f"{'.'.join(path)} is {name}", Input({"host": HOST} | spec, False)


def _fields(schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in schema.get("properties", {}).items():
        yield (*path, name), inner
        yield from _fields(inner, (*path, name))


def _is_of(value: Any, schema: Any) -> bool:
    """Whether the value has the field's own shape, so that other rules judge it."""
    if schema.get("x-kubernetes-int-or-string"):
        return isinstance(value, int | str) and not isinstance(value, bool)
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    kind: type = kinds[schema["type"]]
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for name in reversed(path):
        value = {name: value}
    return dict(value)


INPUTS: dict[str, Input] = dict([*_hosts(), *_specs(), *_shapes()])
