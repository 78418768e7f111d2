"""What `doctor` reads, and what it remembers of what it may not."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

from localregistry.commands import rights, survey
from localregistry.commands.problems import Problem, Unavailable
from localregistry.commands.rights import Right
from unit.commands.examples import NODES, registry
from unit.commands.standin import StandIn, listed, refusal

pytestmark = pytest.mark.ux

GROUP = "/apis/localregistry.dev/v1alpha1"
LISTED = f"{GROUP}/localregistries"
OPERATORS = "/apis/apps/v1/namespaces/system/deployments"
REVIEWS = "/apis/authorization.k8s.io/v1"
OPERATOR = {
    "metadata": {"name": "localregistry", "namespace": "system"},
    "spec": {"template": {"spec": {"serviceAccountName": "account"}}},
}


def allowed(answer: bool) -> dict[str, Any]:
    return {"status": {"allowed": answer}}


def cluster(**changed: Any) -> StandIn:
    """Everything is there and may be read, but for what is `changed` by its path."""
    answers: dict[str, Any] = {
        GROUP: {"kind": "APIResourceList"},
        LISTED: listed(registry()),
        "/api/v1/nodes": listed(*NODES),
        "/api/v1/pods": listed(),
        "/api/v1/namespaces/system": {"metadata": {"labels": {}}},
        "/api/v1/namespaces/system/pods": listed(),
        OPERATORS: listed(OPERATOR),
        "/apis/events.k8s.io/v1/namespaces/system/events": listed(),
        "/apis/networking.k8s.io/v1/ingressclasses": listed(),
        f"{REVIEWS}/selfsubjectaccessreviews": allowed(True),
        f"{REVIEWS}/subjectaccessreviews": allowed(True),
    }
    return StandIn({**answers, **changed})


def take(seen: StandIn, name: str = "", namespace: str = "") -> survey.Survey:
    arguments = Namespace(
        operator_namespace="system",
        agent_port=9808,
        http_port=80,
        name=name or None,
        namespace=namespace or None,
    )
    return survey.take(seen, arguments)


def test_where_all_may_be_read_nothing_is_unread() -> None:
    found = take(cluster())
    assert found.unread == []
    assert found.crd
    assert found.nodes is not None
    assert len(found.nodes) == 3
    assert [one.about for one in found.registries] == ["registries/dev"]
    assert (found.creates, found.lacking) == (True, [])


def test_only_reviews_are_posted() -> None:
    seen = cluster()
    take(seen)
    posted = {path for method, path in seen.asked if method != "GET"}
    assert posted == {f"{REVIEWS}/selfsubjectaccessreviews", f"{REVIEWS}/subjectaccessreviews"}


def test_without_the_crd_no_registry_is_looked_for() -> None:
    seen = cluster(**{GROUP: None})
    found = take(seen)
    assert not found.crd
    assert found.registries == []
    assert not any("localregistries" in path for _, path in seen.asked)


UNREAD = {
    "/api/v1/nodes": ("nodes", "list nodes"),
    OPERATORS: ("the operator", "list deployments in system"),
    "/apis/events.k8s.io/v1/namespaces/system/events": ("Events", "list events in system"),
    LISTED: ("LocalRegistries", "list localregistries"),
    f"{REVIEWS}/subjectaccessreviews": ("the operator's rights", "create subjectaccessreviews"),
    "/apis/networking.k8s.io/v1/ingressclasses": ("Ingress classes", "list ingressclasses"),
    "/api/v1/pods": ("Ingress controllers", "list pods in all namespaces"),
    "/api/v1/namespaces/system/pods": (
        "the agents' reports",
        "list pods and get pods/proxy in system",
    ),
}


@pytest.mark.parametrize("path", UNREAD)
def test_what_may_not_be_read_is_remembered_with_the_right_for_it(path: str) -> None:
    found = take(cluster(**{path: refusal("do that")}))
    assert [(what, right) for what, _, right in found.unread] == [UNREAD[path]]


def test_an_api_server_that_does_not_answer_is_no_finding() -> None:
    with pytest.raises(Unavailable):
        take(cluster(**{GROUP: Unavailable("It is away.", "")}))


def test_one_name_is_looked_at_alone_and_must_be_there() -> None:
    one = f"{GROUP}/namespaces/registries/localregistries"
    seen = cluster(**{f"{one}/dev": registry(), one: listed(registry())})
    assert [c.about for c in take(seen, "dev", "registries").registries] == ["registries/dev"]
    with pytest.raises(Problem, match="no LocalRegistry dve"):
        take(seen, "dve", "registries")


def test_the_operators_rights_are_asked_for_as_its_own_account() -> None:
    asked = []

    def review(body: Any) -> Any:
        asked.append(body["spec"])
        return allowed(body["spec"]["resourceAttributes"]["resource"] != "services")

    found = take(cluster(**{f"{REVIEWS}/subjectaccessreviews": review}))
    assert found.lacking == [Right("patch", "", "services")]
    assert {one["user"] for one in asked} == {"system:serviceaccount:system:account"}
    status = next(
        one["resourceAttributes"] for one in asked if one["resourceAttributes"]["subresource"]
    )
    assert (status["resource"], status["subresource"]) == ("localregistries", "status")


@pytest.mark.parametrize("answer", [True, False])
def test_the_users_own_right_is_asked_for(answer: bool) -> None:
    seen = cluster(**{f"{REVIEWS}/selfsubjectaccessreviews": allowed(answer)})
    assert rights.may_i(seen, rights.CREATE, "team") is answer
