"""What kubectl says and shows of LocalRegistries, by a real API server."""

from __future__ import annotations

import pytest

from api.admission import COLLECTION, MERGE, lreg, says
from api.apiserver import ApiServer

pytestmark = pytest.mark.ux

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
    assert says(done.stderr, sentence), done.stderr
    assert "evaluating rule" not in done.stderr


def test_status_is_a_subresource_with_conditions_by_type(api: ApiServer, namespace: str) -> None:
    collection = COLLECTION.replace("/default/", f"/{namespace}/")
    status, _ = api.request("POST", collection, lreg({"host": "a.b"}) | {"status": {"url": "x"}})
    assert status == 201
    assert api.request("GET", f"{collection}/dev")[1]["status"] == {"observedGeneration": -1}
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
    api.kubectl("apply", "-n", namespace, "-f", "-", input=lreg({"host": "a.b", "image": "r:1"}))
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
    path = f"{COLLECTION.replace('/default/', f'/{namespace}/')}/dev/status"
    assert api.request("PATCH", path, {"status": status}, content_type=MERGE)[0] == 200
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
