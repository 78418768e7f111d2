"""Specs made by Hypothesis from the CRD's own schema: mostly of its shapes, and often not."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from unit.spec.bad_specs import BAD_SIZES
from unit.spec.good_specs import GOOD_SIZES
from unit.spec.host_table import BAD_ALIASES, BAD_HOSTS, GOOD_ALIASES, GOOD_HOSTS
from unit.spec.inputs import CRD_SCHEMA, SHAPES

# Beside what a name may hold: what YAML, JSON, TOML, CEL, shells and hosts files read otherwise.
_ODD = "ab01-._:/[]{}\"'\\`$;,#* \n\t\x00\ud800é"
_texts = st.one_of(
    st.sampled_from([*GOOD_HOSTS[:6], *GOOD_SIZES, *BAD_SIZES, "Managed", "DNS", "In", "nginx"]),
    st.text(alphabet=_ODD, max_size=12),
    st.text(max_size=6),
)
# By the field's name: texts that get further than chance would.
_KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "host": st.sampled_from([*GOOD_HOSTS] * 4 + [*BAD_HOSTS]),
    "aliases": st.lists(
        st.sampled_from([*GOOD_ALIASES] * 16 + [*BAD_ALIASES]), max_size=4, unique=True
    ),
    "size": st.sampled_from([*GOOD_SIZES] * 4 + [*BAD_SIZES]),
    "image": st.sampled_from(["registry:3", "a.b/c@sha256:" + "a" * 64, "$(x)"]),
    "secretName": st.sampled_from(["cert", "a.b", "A"]),
    "className": st.sampled_from(["nginx", "a.b", ""]),
    "key": st.sampled_from(["disk", "a.b/c", "-"]),
}
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_texts, inner, max_size=3)
    ),
    max_leaves=8,
)


def _of(name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What fits the schema of a field, and one time in twenty something else."""
    fitting = _KNOWN[name] if name in _KNOWN else _fitting(schema)
    wrong = st.one_of(st.sampled_from(list(SHAPES.values())), anything)
    return st.integers(0, 19).flatmap(lambda dice: wrong if dice == 0 else fitting)


def _fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.one_of(st.integers(0, 9), st.sampled_from(GOOD_SIZES))
    match schema["type"]:
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(-1, 70_000)
        case "string":
            return _texts
        case "array":
            return st.lists(_of("", schema["items"]), max_size=3)
    if isinstance(inner := schema.get("additionalProperties"), dict):
        return st.dictionaries(_texts, _of("", inner), max_size=3)
    return _object(schema)


def _object(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    required = set(schema.get("required", ()))
    fields = {name: _of(name, inner) for name, inner in schema.get("properties", {}).items()}
    return st.fixed_dictionaries(
        {name: field for name, field in fields.items() if name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


specs = _object(CRD_SCHEMA)
raw = st.one_of(anything, st.dictionaries(st.sampled_from(["host", "aliases", "nodes"]), anything))
