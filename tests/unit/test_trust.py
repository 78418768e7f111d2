"""The protocol between controller and agents: what is written is read back, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from localregistry.trust import (
    Damaged,
    NodeReason,
    NodeResult,
    Probe,
    Report,
    Task,
    TrustDocument,
    TrustedRegistry,
)

PROBE = Probe("a.example.internal/localregistry-probe:v1", "sha256:c", "sha256:m")
ONE = TrustedRegistry("u1", "ns/a", ("a.example.internal:5000",), "10.96.0.1", 80, PROBE)
TWO = replace(ONE, uid="u2", owner="ns/b", names=("b.example.internal",), address="fd00::1")


@pytest.mark.parametrize(
    "document",
    [
        TrustDocument(),
        TrustDocument((ONE,)),
        TrustDocument((ONE, TWO)),
        TrustDocument((replace(ONE, dns=True), replace(TWO, preview=True))),
    ],
)
def test_a_document_is_read_back_as_it_was_written(document: TrustDocument) -> None:
    assert TrustDocument.from_json(document.to_json()) == document


def test_the_order_of_the_registries_is_no_news() -> None:
    one, other = TrustDocument((ONE, TWO)), TrustDocument((TWO, ONE))
    assert one.revision == other.revision
    assert one.to_json() == other.to_json()


@pytest.mark.parametrize(
    "change",
    [
        {"names": ("other.example.internal",)},
        {"address": "10.96.0.2"},
        {"port": 5000},
        {"probe": replace(PROBE, config="sha256:d")},
        {"uid": "u9"},
        {"dns": True},
        {"preview": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_a_node_would_do_otherwise_is_a_new_revision(change: dict[str, object]) -> None:
    changed = replace(ONE, **change)  # type: ignore[arg-type]
    assert TrustDocument((ONE,)).revision != TrustDocument((changed,)).revision
    assert ONE.digest() != changed.digest()


@pytest.mark.parametrize(
    ("registry", "endpoint"),
    [
        (ONE, "http://10.96.0.1"),
        (TWO, "http://[fd00::1]"),
        (replace(ONE, port=5000), "http://10.96.0.1:5000"),
        (replace(TWO, port=5000), "http://[fd00::1]:5000"),
        (replace(ONE, dns=True), "http://a.example.internal:5000"),
        (replace(TWO, dns=True), "http://b.example.internal"),
    ],
)
def test_the_endpoint_is_a_url_of_the_service_or_of_the_name(
    registry: TrustedRegistry, endpoint: str
) -> None:
    assert registry.endpoint(registry.names[0]) == endpoint


@pytest.mark.parametrize("field", ["dns", "preview"])
def test_what_is_the_default_is_not_written_so_that_older_proofs_hold(field: str) -> None:
    assert field not in TrustDocument((ONE,)).to_json()
    changed = replace(ONE, **{field: True})  # type: ignore[arg-type]
    assert field in TrustDocument((changed,)).to_json()


def damaged(change: str) -> str:
    body = json.loads(TrustDocument((ONE, TWO)).to_json())
    match change:
        case "another format":
            body["format"] = 2
        case "no revision":
            del body["revision"]
        case "another revision":
            body["revision"] = "0" * 16
        case "a registry less":
            body["registries"].pop()
        case "a name changed":
            body["registries"][0]["names"] = ["evil.example.internal"]
        case "no probe":
            del body["registries"][0]["probe"]
        case "registries no list":
            body["registries"] = {"u1": {}}
        case "registries null":
            body["registries"] = None
    return json.dumps(body)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="half"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param("{}", id="an empty object"),
        *(
            pytest.param(damaged(change), id=change)
            for change in (
                "another format",
                "no revision",
                "another revision",
                "a registry less",
                "a name changed",
                "no probe",
                "registries no list",
                "registries null",
            )
        ),
    ],
)
def test_a_damaged_document_is_never_taken_for_one(text: str) -> None:
    with pytest.raises(Damaged):
        TrustDocument.from_json(text)


def test_no_registries_is_a_document_and_withdraws_everything() -> None:
    document = TrustDocument.from_json(TrustDocument().to_json())
    assert document.registries == ()


def test_a_task_is_read_back_and_its_text_does_not_depend_on_the_order() -> None:
    task = Task("r1", "docker://26.1.5", ("u2", "u1"))
    assert Task.from_json(task.to_json()) == replace(task, excluded=("u1", "u2"))
    assert task.to_json() == replace(task, excluded=("u1", "u2")).to_json()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"revision": "r"}', "null", '"text"'])
def test_a_damaged_task_is_none(text: str) -> None:
    with pytest.raises(Damaged):
        Task.from_json(text)


def test_a_report_is_read_back_as_it_was_written() -> None:
    result = NodeResult(NodeReason.FLAG_CONFLICT, 'dockerd has "--insecure-registry"')
    report = Report(
        "r1",
        "docker://26.1.5",
        {"u1": result},
        excluded=("u2", "u3"),
        previews={"u4": ("--- /etc/hosts", "+ 10.96.0.1\ta"), "u5": ()},
    )
    assert Report.from_json(report.to_json()) == report


def test_a_report_of_an_older_agent_previews_and_excludes_nothing() -> None:
    report = Report.from_json('{"revision":"r","exceptions":{}}')
    assert (report.excluded, report.previews) == ((), {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"revision": "r", "exceptions": []}',
        '{"revision": "r", "exceptions": {"u": 1}}',
        '{"revision": "r", "exceptions": {}, "previews": 1}',
        '{"revision": "r", "exceptions": {}, "excluded": 1}',
    ],
)
def test_a_report_that_cannot_be_read_proves_nothing(text: str) -> None:
    with pytest.raises(Damaged):
        Report.from_json(text)


def test_a_reason_of_a_newer_agent_is_a_failure_and_keeps_its_words() -> None:
    """Else an agent that was upgraded first would look silent to the operator."""
    text = '{"revision":"r","exceptions":{"u1":{"reason":"BrandNew","message":"words"}}}'
    result = Report.from_json(text).exceptions["u1"]
    assert (result.reason, result.message) == (NodeReason.UNSUPPORTED, "BrandNew: words")
