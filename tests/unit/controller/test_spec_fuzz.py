"""Whatever a spec holds: nothing but InvalidSpec, and nothing rendered outside of the grant."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from localregistry.agent import cridropin, hostsfile, hoststoml, names
from localregistry.controller.claims import Claim, Claims
from localregistry.controller.grants import decide
from localregistry.render import dump
from localregistry.resources.children import CHILDREN
from localregistry.resources.config import OperatorConfig
from localregistry.spec.hosts import name_of
from localregistry.spec.policy import HostPolicy
from localregistry.spec.registry import InvalidSpec, LocalRegistry
from localregistry.trust import TrustDocument, TrustedRegistry
from unit.spec import made_specs
from unit.spec.bodies import body

CONFIG = OperatorConfig()
POLICY = HostPolicy.parse(
    json.dumps(
        [
            {"namespaces": ["registries"], "hosts": ["*.example.internal", "*.b", "10.100.0.0/16"]},
            {"namespaces": ["other"], "hosts": ["*", "0.0.0.0/0"]},
        ]
    )
)
FEW, MANY = 2_000, 50_000
Check = Callable[[Any], None]


def many(examples: int, strategy: Any, check: Check) -> Counter[bool]:
    """Runs the check on so many; how many of them were read, and how many were refused."""
    seen: Counter[bool] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(spec: Any) -> None:
        registry = read(spec)
        seen[registry is not None] += 1
        if registry is not None:
            check(registry)

    run()
    return seen


def read(spec: Any) -> LocalRegistry | None:
    try:
        return LocalRegistry.from_body(body() | {"spec": spec})
    except InvalidSpec as error:
        assert str(error).startswith("spec")  # noqa: PT017 - anything else is raised on
        return None


def nothing_outside_of_the_grant(registry: LocalRegistry) -> None:
    declared = {str(host) for host in registry.spec.hosts}
    children = [child.build(registry, CONFIG) for child in CHILDREN]
    for child in filter(None, children):
        assert child["metadata"]["namespace"] == registry.namespace
        plain = json.loads(json.dumps(child))
        if child["kind"] == "Ingress":
            assert yaml.safe_load(dump(child)) == plain
            hosts = {rule["host"] for rule in plain["spec"]["rules"]}
            assert hosts <= {name_of(text) for text in declared}
    claims = Claims(POLICY)
    claims.put(claims.permitted(claim_of(registry)))
    document = decide(claims, TrustDocument()).document
    assert TrustDocument.from_json(document.to_json()) == document
    for entry in document.registries:
        granted = {str(h) for h in registry.spec.hosts if POLICY.allows(registry.namespace, h)}
        assert {*entry.names} == granted
        on_a_node(entry)
    if not POLICY.allows(registry.namespace, registry.spec.host):
        assert document.registries == ()


def claim_of(registry: LocalRegistry) -> Claim:
    return Claim(
        uid=registry.uid,
        namespace=registry.namespace,
        name=registry.name,
        created=registry.created,
        host=registry.spec.host,
        aliases=registry.spec.aliases,
        managed=True,
        address="10.96.0.10",
        reachable=True,
        served=True,
    )


def on_a_node(entry: TrustedRegistry) -> None:
    """What agents write for each name names that, the Service's address, and nothing else."""
    for name in entry.names:
        assert names.check(name, entry.address, entry.port) is None
        endpoint = entry.endpoint(name)
        toml = tomllib.loads(
            hoststoml.render(owner=entry.owner, uid=entry.uid, endpoint=endpoint).decode()
        )
        assert (toml["server"], [*toml["host"]]) == (endpoint, [endpoint])
        [table] = tomllib.loads(cridropin.render(entry, name).decode())["registry"]
        assert (table["prefix"], table["location"]) == (name, "10.96.0.10:80")
        assert "/" not in cridropin.file_name(name)
    hosts = {names.host_of(name) for name in entry.names}
    lines = {host: entry.address for host in hosts if not names.is_address(host)}
    block = hostsfile.with_block(b"127.0.0.1 localhost\n", lines).decode().splitlines()[2:-1]
    assert sorted(block) == sorted(f"{entry.address}\t{host}" for host in lines)


def test_specs_of_the_schema_are_read_or_refused_and_grant_what_they_say() -> None:
    seen = many(FEW, made_specs.specs, nothing_outside_of_the_grant)
    assert min(seen[True], seen[False]) > FEW * 0.05, seen


def test_specs_of_no_shape_are_read_or_refused() -> None:
    assert many(FEW, made_specs.raw, nothing_outside_of_the_grant)[False] > FEW * 0.5


@pytest.mark.long
def test_fifty_thousand_specs_of_the_schema_are_read_or_refused() -> None:
    seen = many(MANY, made_specs.specs, nothing_outside_of_the_grant)
    assert min(seen[True], seen[False]) > MANY * 0.05, seen


@pytest.mark.long
def test_fifty_thousand_specs_of_no_shape_are_read_or_refused() -> None:
    assert many(MANY, made_specs.raw, nothing_outside_of_the_grant)[False] > MANY * 0.5
