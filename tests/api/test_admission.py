"""What the CRD accepts, fills in and refuses, by a real API server.

Refusals are asserted with the sentence that a user reads. The tables are those that the package's
own reading is tested with, so the two cannot drift apart.
"""

from __future__ import annotations

from typing import Any

import pytest

from api.apiserver import ApiServer
from localregistry.spec.registry import InvalidSpec, LocalRegistry
from unit.spec import bodies
from unit.spec.host_table import BAD_ALIASES, BAD_HOSTS, GOOD_ALIASES, GOOD_HOSTS
from unit.spec.inputs import INPUTS, Input
from unit.spec.spec_table import BAD_SPECS, GOOD_SPECS

_COLLECTION = "/apis/localregistry.dev/v1alpha1/namespaces/default/localregistries"
_DRY_RUN = "?dryRun=All&fieldValidation=Strict"
_MERGE = "application/merge-patch+json"

_Spec = dict[str, Any]


def _body(spec: Any, name: str = "dev") -> dict[str, Any]:
    return {
        "apiVersion": "localregistry.dev/v1alpha1",
        "kind": "LocalRegistry",
        "metadata": {"name": name},
        "spec": spec,
    }


def _create(api: ApiServer, spec: Any) -> tuple[int, dict[str, Any]]:
    return api.request("POST", _COLLECTION + _DRY_RUN, _body(spec))


def _with_host(spec: _Spec) -> _Spec:
    return {"host": "registry.example.internal"} | spec


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_a_good_host_is_stored(api: ApiServer, host: str) -> None:
    status, answer = _create(api, {"host": host})
    assert (status, answer.get("spec", answer).get("host")) == (201, host)


@pytest.mark.parametrize(("host", "sentence"), BAD_HOSTS.items(), ids=map(repr, BAD_HOSTS))
def test_a_bad_host_is_refused_with_its_sentence(api: ApiServer, host: str, sentence: str) -> None:
    status, answer = _create(api, {"host": host})
    assert status == 422, answer
    [cause] = [one for one in answer["details"]["causes"] if one["field"] == "spec.host"]
    assert sentence in cause["message"]


@pytest.mark.parametrize("alias", GOOD_ALIASES)
def test_a_good_alias_is_stored(api: ApiServer, alias: str) -> None:
    status, answer = _create(api, {"host": "some.example.internal", "aliases": [alias]})
    assert (status, answer.get("spec", answer).get("aliases")) == (201, [alias])


@pytest.mark.parametrize(("alias", "sentence"), BAD_ALIASES.items(), ids=map(repr, BAD_ALIASES))
def test_a_bad_alias_is_refused_with_its_sentence(
    api: ApiServer, alias: str, sentence: str
) -> None:
    status, answer = _create(api, {"host": "some.example.internal", "aliases": [alias]})
    assert status == 422, answer
    causes = answer["details"]["causes"]
    told = [one["message"] for one in causes if one["field"] == "spec.aliases[0]"]
    assert any(sentence in one for one in told), told
    assert "evaluating rule" not in answer["message"]


@pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS)
def test_admission_and_the_operator_agree(api: ApiServer, given: Input) -> None:
    status, answer = _create(api, given.spec)
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
    body = _body({"host": "a.b"})
    for size, expected in ((200_000, 201), (300_000, 422)):
        body["metadata"]["annotations"] = {f"n{i}": "x" * 1000 for i in range(size // 1000)}
        status, answer = api.request("POST", _COLLECTION + _DRY_RUN, body)
        assert status == expected
        if expected == 201:
            assert _is_read(answer)
        else:
            assert "metadata.annotations: Too long" in answer["message"]


def test_a_host_that_is_much_too_long_is_refused(api: ApiServer) -> None:
    status, answer = _create(api, {"host": "a." * 5000})
    assert status == 422
    assert "spec.host: Too long: may not be more than 259" in answer["message"]


@pytest.mark.parametrize("spec", GOOD_SPECS.values(), ids=GOOD_SPECS)
def test_a_good_spec_is_stored_whole(api: ApiServer, spec: _Spec) -> None:
    status, answer = _create(api, _with_host(spec))
    assert status == 201, answer
    assert _holds(answer["spec"], spec)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [(spec, theirs) for spec, theirs, _ in BAD_SPECS.values()],
    ids=BAD_SPECS,
)
def test_a_bad_spec_is_refused_with_its_sentence(
    api: ApiServer, spec: _Spec, sentence: str
) -> None:
    status, answer = _create(api, _with_host(spec))
    assert status == 422, answer
    assert sentence in answer["message"]


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
    status, answer = _create(api, spec)
    assert status in (400, 422)
    assert sentence in answer["message"]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"hosts": ["x"]}, "spec.hosts"),
        ({"names": ["x.y"]}, "spec.names"),
        ({"nodes": {"selector": {"disk": "ssd"}}}, "spec.nodes.selector.disk"),
        ({"service": {"port": 80}}, "spec.service.port"),
        ({"affinity": {"nodesAffinity": {}}}, "spec.affinity.nodesAffinity"),
        ({"tolerations": [{"keys": "a"}]}, "spec.tolerations[0].keys"),
        ({"resources": {"limit": {}}}, "spec.resources.limit"),
    ],
)
def test_an_unknown_field_is_named(api: ApiServer, spec: _Spec, path: str) -> None:
    status, answer = _create(api, _with_host(spec))
    assert status == 400
    assert f'unknown field "{path}"' in answer["message"]


def test_the_defaults_are_stored(api: ApiServer) -> None:
    _, answer = _create(api, {"host": "registry.example.internal"})
    assert answer["spec"] == {
        "host": "registry.example.internal",
        "aliases": [],
        "storage": {
            "size": "20Gi",
            "accessModes": ["ReadWriteOnce"],
            "reclaimPolicy": "Retain",
        },
        "ingress": {"enabled": True},
        "service": {"type": "ClusterIP"},
        "nodes": {"management": "Managed", "resolve": "ClusterIP"},
        "suspend": False,
    }


@pytest.mark.parametrize("storage", [{"existingClaim": "old"}, {"ephemeral": True}])
def test_no_size_is_filled_in_beside_another_kind(api: ApiServer, storage: _Spec) -> None:
    _, answer = _create(api, _with_host({"storage": storage}))
    rest = {"accessModes": ["ReadWriteOnce"], "reclaimPolicy": "Retain"}
    assert answer["spec"]["storage"] == storage | rest


_SSD = {"storage": {"size": "5Gi", "storageClassName": "ssd"}}
_CLASS_FIXED = "spec.storage.storageClassName: Forbidden: is immutable"
_KIND_FIXED = "spec.storage: Forbidden: must keep its kind"
_ONLY_GROWS = "spec.storage.size: Forbidden: may only grow: "

# before, merge patch of the spec, sentence of the refusal or "" where it is allowed
UPDATES: dict[str, tuple[_Spec, _Spec, str]] = {
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
    api: ApiServer, namespace: str, before: _Spec, patch: _Spec, sentence: str
) -> None:
    collection = _COLLECTION.replace("/default/", f"/{namespace}/")
    status, answer = api.request("POST", collection, _body(_with_host(before)))
    assert status == 201, answer
    path = f"{collection}/dev?fieldValidation=Strict"
    status, answer = api.request("PATCH", path, {"spec": patch}, content_type=_MERGE)
    assert (status, answer.get("message", "")) == (200, "") if not sentence else status == 422
    assert sentence in answer.get("message", "")


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
    collection = _COLLECTION.replace("/default/", f"/{namespace}/")
    body = _body(_with_host({"storage": {"size": "9Gi"}}))
    assert api.request("POST", collection, body)[0] == 201
    path, told = f"{collection}/dev", {"status": {"storage": {"capacity": capacity}}}
    assert api.request("PATCH", f"{path}/status", told, content_type=_MERGE)[0] == 200
    # What a user sends as status does not count.
    patch = {"spec": {"storage": {"size": size}}, "status": {"storage": {"capacity": "1Mi"}}}
    status, answer = api.request("PATCH", path, patch, content_type=_MERGE)
    assert status == (422 if sentence else 200), answer
    assert sentence in answer.get("message", "")


TEN_BAD_RESOURCES = {
    "host docker.io": ("host: docker.io", "docker.io is a public registry"),
    "host *": ("host: '*'", "must be one name: a wildcard would make nodes trust every registry"),
    "host x/y": ("host: x/y", "must be without a path: only name[:port]"),
    "host http://x": ("host: http://x", "must be without a scheme: registry.example.com, not http"),
    "host UPPER.case": ("host: UPPER.case", "must be lower case"),
    "host a..b": ("host: a..b", "must be a DNS name with an optional port, such as"),
    "size -1Gi": (
        "{host: a.b, storage: {size: -1Gi}}",
        'spec.storage.size: Invalid value: "-1Gi": must be a quantity of at least 1Mi, for example',
    ),
    "two storage kinds": (
        "{host: a.b, storage: {size: 1Gi, ephemeral: true}}",
        "spec.storage: Invalid value: must have exactly one of size, existingClaim and ephemeral",
    ),
    "port 70000": ("host: 'a.b:70000'", "must have a port from 1 to 65535 after the colon"),
    "unknown field": ("{host: a.b, replicas: 3}", 'unknown field "spec.replicas"'),
}


@pytest.mark.parametrize(("spec", "sentence"), TEN_BAD_RESOURCES.values(), ids=TEN_BAD_RESOURCES)
def test_kubectl_apply_tells_what_is_wrong(api: ApiServer, spec: str, sentence: str) -> None:
    text = (
        "apiVersion: localregistry.dev/v1alpha1\n"
        "kind: LocalRegistry\n"
        "metadata: {name: bad, namespace: default}\n"
        f"spec:\n  {spec}\n"
    )
    done = api.kubectl("apply", "-f", "-", input=text, check=False)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "evaluating rule" not in done.stderr


def test_status_is_a_subresource_with_conditions_by_type(api: ApiServer, namespace: str) -> None:
    collection = _COLLECTION.replace("/default/", f"/{namespace}/")
    status, _ = api.request("POST", collection, _body({"host": "a.b"}) | {"status": {"url": "x"}})
    assert status == 201
    assert "status" not in api.request("GET", f"{collection}/dev")[1]
    for manager, condition_type in (("one", "Ready"), ("two", "Exposed")):
        condition = {
            "type": condition_type,
            "status": "Unknown",
            "reason": "Reconciling",
            "message": "",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }
        status, answer = api.request(
            "PATCH",
            f"{collection}/dev/status?fieldManager={manager}&force=true",
            {
                "apiVersion": "localregistry.dev/v1alpha1",
                "kind": "LocalRegistry",
                "status": {"conditions": [condition], "observedGeneration": 1},
            },
            content_type="application/apply-patch+yaml",
        )
        assert status == 200, answer
    assert [one["type"] for one in answer["status"]["conditions"]] == ["Ready", "Exposed"]
    assert answer["metadata"]["generation"] == 1


def test_kubectl_shows_the_columns(api: ApiServer, namespace: str) -> None:
    api.kubectl("apply", "-n", namespace, "-f", "-", input=_body({"host": "a.b", "image": "r:1"}))
    status = {
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "NodesFailing",
                "message": "x",
                "lastTransitionTime": "2026-01-02T03:04:05Z",
            }
        ],
        "nodes": {"desired": 3, "ready": 2, "summary": "2/3"},
        "storage": {"capacity": "50Gi", "used": "1.2Gi", "summary": "1.2Gi/50Gi"},
        "url": "http://a.b",
    }
    path = f"{_COLLECTION.replace('/default/', f'/{namespace}/')}/dev/status"
    assert api.request("PATCH", path, {"status": status}, content_type=_MERGE)[0] == 200
    plain = api.kubectl("get", "lreg", "-n", namespace).stdout.split()
    assert plain[:6] == ["NAME", "HOST", "READY", "NODES", "USED", "AGE"]
    assert plain[6:11] == ["dev", "a.b", "False", "2/3", "1.2Gi/50Gi"]
    head, row = api.kubectl("get", "lreg", "-n", namespace, "-o", "wide").stdout.splitlines()
    assert head.split() == [
        *("NAME", "HOST", "READY", "NODES", "USED"),
        *("REASON", "IMAGE", "URL", "AGE"),
    ]
    assert row.split()[3:8] == ["2/3", "1.2Gi/50Gi", "NodesFailing", "r:1", "http://a.b"]


def test_kubectl_explains_the_fields(api: ApiServer) -> None:
    explained = api.kubectl("explain", "localregistry.spec.storage.reclaimPolicy").stdout
    assert "ENUM:" in explained
    assert "What becomes of the claim when the LocalRegistry is deleted." in explained


def test_kubectl_explains_the_selector_and_the_preview(api: ApiServer) -> None:
    explained = api.kubectl("explain", "lreg.spec.nodes", "--recursive").stdout
    assert "enum: Managed, Preview, Unmanaged" in explained
    assert "enum: In, NotIn, Exists, DoesNotExist" in explained
    diff = api.kubectl("explain", "lreg.status.nodes.preview.diff").stdout
    assert "empty where nothing would change" in " ".join(diff.split())


def _holds(stored: Any, given: Any) -> bool:
    """Whether all that was given is stored; null means the default."""
    if isinstance(given, dict):
        return all(value is None or _holds(stored[key], value) for key, value in given.items())
    return bool(stored == given)
