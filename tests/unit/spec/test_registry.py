"""Reading a LocalRegistry from whatever the API server may hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localregistry.spec.exposure import Ingress, Page, Service, ServiceType
from localregistry.spec.hosts import Host
from localregistry.spec.nodes import Management, Nodes, Resolve
from localregistry.spec.registry import InvalidSpec, LocalRegistry, LocalRegistrySpec
from localregistry.spec.selector import Operator, Requirement, Selector
from localregistry.spec.storage import ReclaimPolicy, Storage, StorageKind
from unit.spec.bad_specs import BAD_SPECS
from unit.spec.bodies import UID, body
from unit.spec.good_specs import GOOD_SPECS

_FIELDS = (
    *("metadata", "spec", "status", "name", "namespace", "uid", "host", "image", "storage"),
    *("imagePullSecrets", "resources", "nodeSelector", "tolerations", "affinity", "ingress"),
    *("service", "nodes", "suspend", "size", "existingClaim", "ephemeral", "accessModes"),
    *("port", "nodePort", "page"),
    *("reclaimPolicy", "className", "annotations", "tls", "secretName", "type", "management"),
    *("generation", "finalizers", "deletionTimestamp", "enabled", "storageClassName"),
    *("resolve", "selector", "matchLabels", "matchExpressions", "key", "operator", "values"),
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["a.b", "1Gi", "Managed", "Delete", "ReadWriteOnce", "NodePort", "In"]),
)
_BODIES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=6),
        st.dictionaries(st.text(max_size=4), inner, max_size=2),
    ),
    max_leaves=25,
)


def test_metadata_and_defaults_are_read() -> None:
    assert LocalRegistry.from_body(body()) == LocalRegistry(
        namespace="registries",
        name="dev",
        uid=UID,
        spec=LocalRegistrySpec(host=Host("registry.example.internal")),
        generation=1,
        created="2026-01-02T03:04:05Z",
        resource_version="7",
    )


def test_the_defaults_are_those_of_the_design() -> None:
    spec = LocalRegistry.from_body(body()).spec
    assert spec.storage == Storage(StorageKind.SIZE, "20Gi", None, None, ("ReadWriteOnce",))
    assert spec.storage.reclaim_policy is ReclaimPolicy.RETAIN
    assert spec.ingress == Ingress(True, None, {}, None)
    assert spec.service == Service(ServiceType.CLUSTER_IP, 80, None)
    assert spec.page == Page(enabled=True)
    assert spec.nodes == Nodes(Management.MANAGED, Resolve.CLUSTER_IP, Selector())
    assert spec.suspend is False


def test_every_field_finds_its_place() -> None:
    spec = LocalRegistry.from_body(
        body(
            {
                "image": "r:1",
                "imagePullSecrets": [{"name": "a"}, {"name": "b"}],
                "resources": {"requests": {"cpu": 1}},
                "storage": {"existingClaim": "old"},
                "ingress": {"className": "nginx", "tls": {"secretName": "cert"}},
                "service": {"type": "LoadBalancer", "port": 5000, "nodePort": 30500},
                "page": {"enabled": False},
                "nodes": {
                    "management": "Preview",
                    "resolve": "DNS",
                    "selector": {"matchLabels": {"disk": "ssd"}},
                },
                "suspend": True,
            }
        )
    ).spec
    assert (spec.image, spec.image_pull_secrets) == ("r:1", ("a", "b"))
    assert spec.resources == {"requests": {"cpu": 1}}
    assert (spec.storage.kind, spec.storage.existing_claim) == (StorageKind.EXISTING, "old")
    assert spec.storage.size is None
    assert (spec.ingress.class_name, spec.ingress.tls_secret) == ("nginx", "cert")
    assert spec.service == Service(ServiceType.LOAD_BALANCER, 5000, 30500)
    assert spec.page == Page(enabled=False)
    assert (spec.nodes.management, spec.nodes.resolve) == (Management.PREVIEW, Resolve.DNS)
    assert spec.nodes.selector == Selector((Requirement("disk", Operator.IN, ("ssd",)),))
    assert spec.suspend is True


def test_deletion_finalizers_annotations_and_status_are_read() -> None:
    raw = body()
    raw["metadata"] |= {
        "deletionTimestamp": "2026-01-02T04:00:00Z",
        "finalizers": ["localregistry.dev/node-trust", "x/y"],
        "annotations": {"a": "b"},
    }
    raw["status"] = {"url": "http://registry.example.internal"}
    registry = LocalRegistry.from_body(raw)
    assert registry.deleted == "2026-01-02T04:00:00Z"
    assert registry.finalizers == ("localregistry.dev/node-trust", "x/y")
    assert registry.annotations == {"a": "b"}
    assert registry.status == {"url": "http://registry.example.internal"}


def test_fields_of_a_newer_schema_are_ignored() -> None:
    assert LocalRegistry.from_body(body({"page": {"title": "x"}})).spec.host.port is None


@pytest.mark.parametrize("spec", GOOD_SPECS.values(), ids=GOOD_SPECS)
def test_what_the_crd_accepts_is_accepted(spec: dict[str, Any]) -> None:
    LocalRegistry.from_body(body(spec))


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [(spec, ours) for spec, _, ours in BAD_SPECS.values() if ours],
    ids=[name for name, (_, _, ours) in BAD_SPECS.items() if ours],
)
def test_what_the_crd_refuses_is_refused_again(spec: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        LocalRegistry.from_body(body(spec))
    assert str(refusal.value).startswith("spec.")
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (None, "metadata.namespace is required"),
        ([], "the resource must be an object, not a list"),
        ({"metadata": []}, "metadata must be an object, not a list"),
        (body() | {"spec": None}, "spec.host is required"),
        (body() | {"spec": []}, "spec must be an object, not a list"),
        (body(name="../x"), "metadata.name must be the name of an object"),
    ],
)
def test_a_broken_body_is_told(raw: Any, sentence: str) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        LocalRegistry.from_body(raw)
    assert str(refusal.value) == sentence


@given(_BODIES)
def test_nothing_but_invalid_spec_is_raised_whatever_the_body_is(raw: Any) -> None:
    registry, sentence = _read(raw)
    assert sentence or (registry and registry.name)


@given(st.dictionaries(st.sampled_from(_FIELDS), _BODIES, max_size=8))
def test_nothing_but_invalid_spec_is_raised_whatever_the_spec_is(spec: dict[str, Any]) -> None:
    registry, sentence = _read(body(spec))
    assert sentence.startswith("spec") or (registry and registry.spec.storage.kind in StorageKind)


def _read(raw: Any) -> tuple[LocalRegistry | None, str]:
    try:
        return LocalRegistry.from_body(raw), ""
    except InvalidSpec as error:
        return None, str(error)
