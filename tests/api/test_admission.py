"""What the CRD accepts, fills in and refuses, by a real API server.

Refusals are asserted with the sentence that a user reads. The tables are those that the package's
own reading is tested with, so the two cannot drift apart.
"""

from __future__ import annotations

from typing import Any

import pytest

from api.admission import COLLECTION, DRY_RUN, Spec, create, holds, lreg, says, with_host
from api.apiserver import ApiServer
from api.processes import wait_until
from localregistry.spec.registry import InvalidSpec, LocalRegistry
from unit.spec import bodies
from unit.spec.bad_specs import BAD_SPECS
from unit.spec.good_specs import GOOD_SPECS
from unit.spec.host_table import BAD_ALIASES, BAD_HOSTS, GOOD_ALIASES, GOOD_HOSTS
from unit.spec.inputs import INPUTS, Input


@pytest.fixture(autouse=True, scope="module")
def _of_the_crd_alone(api: ApiServer) -> None:
    """Other files' tests install policies as well, which judge after the schema."""
    for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
        api.kubectl("delete", kind, "--all")
    alias = {"host": "some.example.internal", "aliases": ["10.0.0.1"]}
    wait_until(lambda: create(api, alias)[0] == 201, timeout=30, what="the policies to go")


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_a_good_host_is_stored(api: ApiServer, host: str) -> None:
    status, answer = create(api, {"host": host})
    assert (status, answer.get("spec", answer).get("host")) == (201, host)


@pytest.mark.parametrize(("host", "sentence"), BAD_HOSTS.items(), ids=map(repr, BAD_HOSTS))
def test_a_bad_host_is_refused_with_its_sentence(api: ApiServer, host: str, sentence: str) -> None:
    status, answer = create(api, {"host": host})
    assert status == 422, answer
    [cause] = [one for one in answer["details"]["causes"] if one["field"] == "spec.host"]
    assert sentence in cause["message"]


@pytest.mark.parametrize("alias", GOOD_ALIASES)
def test_a_good_alias_is_stored(api: ApiServer, alias: str) -> None:
    status, answer = create(api, {"host": "some.example.internal", "aliases": [alias]})
    assert (status, answer.get("spec", answer).get("aliases")) == (201, [alias])


@pytest.mark.parametrize(("alias", "sentence"), BAD_ALIASES.items(), ids=map(repr, BAD_ALIASES))
def test_a_bad_alias_is_refused_with_its_sentence(
    api: ApiServer, alias: str, sentence: str
) -> None:
    status, answer = create(api, {"host": "some.example.internal", "aliases": [alias]})
    assert status == 422, answer
    causes = answer["details"]["causes"]
    told = [one["message"] for one in causes if one["field"] == "spec.aliases[0]"]
    assert any(sentence in one for one in told), told
    assert "evaluating rule" not in answer["message"]


@pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS)
def test_admission_and_the_operator_agree(api: ApiServer, given: Input) -> None:
    status, answer = create(api, given.spec)
    assert status in (201, 400, 422), answer
    assert (status == 201) is given.good, answer
    body = answer if status == 201 else bodies.body() | {"spec": given.spec}
    body["metadata"] |= {"namespace": "default", "uid": bodies.UID}
    assert _is_read(body) is (given.good or given.schema_only)


def _is_read(body: Any) -> bool:
    try:
        LocalRegistry.from_body(body)
    except InvalidSpec:
        return False
    return True


def test_metadata_of_hundreds_of_kilobytes_is_stored_and_read_or_refused(api: ApiServer) -> None:
    body = lreg({"host": "a.b"})
    for size, expected in ((200_000, 201), (300_000, 422)):
        body["metadata"]["annotations"] = {f"n{i}": "x" * 1000 for i in range(size // 1000)}
        status, answer = api.request("POST", COLLECTION + DRY_RUN, body)
        assert status == expected
        if expected == 201:
            assert _is_read(answer)
        else:
            assert "metadata.annotations: Too long" in answer["message"]


def test_a_host_that_is_much_too_long_is_refused(api: ApiServer) -> None:
    status, answer = create(api, {"host": "a." * 5000})
    assert status == 422
    assert "spec.host: Too long: may not be more than 259" in answer["message"]


@pytest.mark.parametrize("spec", GOOD_SPECS.values(), ids=GOOD_SPECS)
def test_a_good_spec_is_stored_whole(api: ApiServer, spec: Spec) -> None:
    status, answer = create(api, with_host(spec))
    assert status == 201, answer
    assert holds(answer["spec"], spec)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [(spec, theirs) for spec, theirs, _ in BAD_SPECS.values()],
    ids=BAD_SPECS,
)
def test_a_bad_spec_is_refused_with_its_sentence(api: ApiServer, spec: Spec, sentence: str) -> None:
    status, answer = create(api, with_host(spec))
    assert status == 422, answer
    assert says(answer["message"], sentence), answer["message"]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (None, "spec: Required value"),
        ([], "must be of type object"),
        ({}, "spec.host: Required value"),
        ("x", "must be of type object"),
    ],
    ids=["no spec", "spec a list", "spec empty", "spec a string"],
)
def test_a_spec_of_the_wrong_shape_is_refused(api: ApiServer, spec: Any, sentence: str) -> None:
    status, answer = create(api, spec)
    assert status in (400, 422)
    assert says(answer["message"], sentence), answer["message"]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"hosts": ["x"]}, "spec.hosts"),
        ({"names": ["x.y"]}, "spec.names"),
        ({"nodes": {"selector": {"disk": "ssd"}}}, "spec.nodes.selector.disk"),
        ({"service": {"ports": [80]}}, "spec.service.ports"),
        ({"affinity": {"nodesAffinity": {}}}, "spec.affinity.nodesAffinity"),
        ({"tolerations": [{"keys": "a"}]}, "spec.tolerations[0].keys"),
        ({"resources": {"limit": {}}}, "spec.resources.limit"),
    ],
)
def test_an_unknown_field_is_named(api: ApiServer, spec: Spec, path: str) -> None:
    status, answer = create(api, with_host(spec))
    assert status == 400
    assert f'unknown field "{path}"' in answer["message"]


def test_the_defaults_are_stored(api: ApiServer) -> None:
    _, answer = create(api, {"host": "registry.example.internal"})
    assert answer["spec"] == {
        "host": "registry.example.internal",
        "aliases": [],
        "storage": {
            "size": "20Gi",
            "accessModes": ["ReadWriteOnce"],
            "reclaimPolicy": "Retain",
        },
        "ingress": {"enabled": True},
        "page": {"enabled": True},
        "service": {"type": "ClusterIP", "port": 80},
        "nodes": {"management": "Managed", "resolve": "ClusterIP"},
        "suspend": False,
    }


@pytest.mark.parametrize("storage", [{"existingClaim": "old"}, {"ephemeral": True}])
def test_no_size_is_filled_in_beside_another_kind(api: ApiServer, storage: Spec) -> None:
    _, answer = create(api, with_host({"storage": storage}))
    rest = {"accessModes": ["ReadWriteOnce"], "reclaimPolicy": "Retain"}
    assert answer["spec"]["storage"] == storage | rest
