"""`diff`: only what reconcile would change, and nothing that it would leave alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from localregistry.commands import diff
from localregistry.commands.changes import Change, changes
from localregistry.commands.problems import Problem
from localregistry.resources import ingress
from localregistry.resources.children import CHILDREN
from localregistry.resources.config import OperatorConfig
from localregistry.spec.names import USAGE_PAGE_ANNOTATION
from localregistry.spec.registry import LocalRegistry
from unit.commands.examples import condition, registry
from unit.commands.standin import StandIn, listed, refusal

pytestmark = pytest.mark.ux

Body = dict[str, Any]
CONFIG = OperatorConfig()
PLACES = {
    "ConfigMap": "/api/v1/namespaces/registries/configmaps",
    "PersistentVolumeClaim": "/api/v1/namespaces/registries/persistentvolumeclaims",
    "Deployment": "/apis/apps/v1/namespaces/registries/deployments",
    "Service": "/api/v1/namespaces/registries/services",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/registries/ingresses",
}


class World(StandIn):
    """Holds the children of a LocalRegistry as the API server would; an apply merges as it does,
    at the depth that matters here."""

    def __init__(self, body: Body) -> None:
        super().__init__({})
        self.registry = LocalRegistry.from_body(body)
        self.live: dict[str, Body] = {}
        for child in CHILDREN:
            made = child.build(self.registry, CONFIG)
            if made is not None:
                self.live[child.kind] = copy.deepcopy(made)

    def _request(
        self, method: str, path: str, body: Any, kind: str, accept: str = ""
    ) -> tuple[int, bytes, Any]:
        where = next(k for k, place in PLACES.items() if path.startswith(place))
        if method == "PATCH":
            import json

            assert "dryRun=All" in path
            assert "fieldManager=localregistry-operator" in path
            applied = json.loads(body)
            old = self.live.get(where, {})
            self.answers[path] = {**old, **applied, "status": {"of": "the dry run"}}
            self.answers[path]["metadata"]["resourceVersion"] = "9"
        else:
            self.answers[path] = self.live.get(where)
        return super()._request(method, path, body, kind, accept)

    def changes(self, body: Body | None = None, config: OperatorConfig = CONFIG) -> list[Change]:
        wanted = LocalRegistry.from_body(body) if body else self.registry
        return list(changes(self, wanted, config))


def test_where_nothing_differs_nothing_is_told() -> None:
    assert World(registry()).changes() == []


def test_a_change_by_hand_is_told_as_it_would_be_undone() -> None:
    world = World(registry())
    world.live["Deployment"]["spec"]["replicas"] = 0
    [change] = world.changes()
    assert (change.kind, change.name) == ("Deployment", "dev-registry")
    assert [line.strip() for line in change.lines if line[1:].startswith("  replicas")] == [
        "-  replicas: 0",
        "+  replicas: 1",
    ]


def test_what_a_file_would_lead_to_is_told() -> None:
    world = World(registry())
    other = registry({"host": "new.example.internal"})
    lines = [line for change in world.changes(other) for line in change.lines]
    assert "-  - host: registry.example.internal" in lines
    assert "+  - host: new.example.internal" in lines


def test_a_child_that_is_not_there_comes_whole() -> None:
    world = World(registry())
    del world.live["ConfigMap"]
    [change] = world.changes()
    assert change.lines[:2] == ("--- /dev/null", "+++ dev-registry")


def test_an_ingress_that_is_not_wanted_any_more_goes() -> None:
    off = registry({"ingress": {"enabled": False}})
    [change] = World(registry()).changes(off)
    assert change.kind == "Ingress"
    assert change.lines[:2] == ("--- dev-registry", "+++ /dev/null")


def test_a_new_release_alone_restarts_no_registry() -> None:
    world = World(registry())
    world.live["Deployment"]["status"] = {"availableReplicas": 1}
    assert world.changes(config=OperatorConfig(agent_image="agent:9")) == []


CLAIMS = {
    "larger, bound": ("30Gi", "20Gi", "Bound", True),
    "larger, not bound yet": ("30Gi", "20Gi", "Pending", False),
    "smaller than others made it": ("20Gi", "50Gi", "Bound", False),
}


@pytest.mark.parametrize(("asked", "there", "phase", "told"), CLAIMS.values(), ids=CLAIMS)
def test_a_claim_grows_only_while_it_is_bound(
    asked: str, there: str, phase: str, told: bool
) -> None:
    world = World(registry({"storage": {"size": there}}))
    world.live["PersistentVolumeClaim"]["status"] = {"phase": phase}
    kinds = [one.kind for one in world.changes(registry({"storage": {"size": asked}}))]
    assert kinds == (["PersistentVolumeClaim"] if told else [])


def foreign(world: World) -> None:
    world.live["Service"]["metadata"]["ownerReferences"] = []


def foreign_claim(world: World) -> None:
    world.live["PersistentVolumeClaim"]["metadata"]["annotations"] = {}


LEFT = {"Service": foreign, "PersistentVolumeClaim": foreign_claim}


@pytest.mark.parametrize("kind", LEFT)
def test_what_is_somebody_elses_is_left_alone_and_told(kind: str) -> None:
    world = World(registry())
    LEFT[kind](world)
    [change] = world.changes()
    assert change.kind == kind
    assert "NameConflict" in change.note
    assert change.lines == ()


def test_while_data_is_lost_nothing_is_put_in_its_place() -> None:
    body = registry(status={"conditions": [condition("StorageReady", "False", "DataLost")]})
    world = World(body)
    del world.live["PersistentVolumeClaim"]
    found = world.changes()
    assert {one.kind for one in found} == {*PLACES} - {"Ingress"}
    assert all("DataLost" in one.note for one in found)


def test_the_images_are_those_that_the_operator_was_told() -> None:
    env = [{"name": "REGISTRY_IMAGE", "value": "mirror/registry:3"}, {"name": "POD_NAMESPACE"}]
    spec = {"template": {"spec": {"containers": [{"name": "operator", "env": env}]}}}
    config = diff.config_of({"metadata": {"namespace": "system"}, "spec": spec})
    assert config.registry_image == "mirror/registry:3"
    assert config.agent_image == OperatorConfig().agent_image


OPERATORS = "/apis/apps/v1/namespaces/system/deployments"


@pytest.mark.parametrize(
    ("answer", "words"),
    [(listed(), "There is no operator in system"), (refusal("list"), "images are not known")],
)
def test_without_the_operators_images_there_is_no_answer(answer: Any, words: str) -> None:
    with pytest.raises(Problem, match=words):
        diff.configured(StandIn({OPERATORS: answer}), "system")


@pytest.mark.parametrize(
    ("target", "expected"),
    {"dev": False, "my.dev": False, "dev.yaml": True, "./dev": True, "-": True}.items(),
)
def test_files_are_told_from_names(target: str, expected: bool) -> None:
    assert diff.is_file(target) is expected


def test_while_an_image_of_before_the_page_is_kept_its_ingress_stays_too() -> None:
    world = World(registry())
    kept = world.live["Deployment"]
    del kept["metadata"]["annotations"][USAGE_PAGE_ANNOTATION]
    kept["status"] = {"availableReplicas": 1}
    plain = ingress.build(world.registry, CONFIG, page=False)
    assert plain is not None
    world.live["Ingress"] = plain
    newer = OperatorConfig(agent_image="agent:newer")
    assert world.changes(config=newer) == []
    del kept["status"]
    assert [change.kind for change in world.changes(config=newer)] == ["Deployment", "Ingress"]
