"""What tools read in kube-public, by the rules of KEP-1755."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from localregistry.resources import hosting
from localregistry.spec import names
from unit.controller.bodies import read

# The fields of its first version; all are texts, and a reader ignores none that it knows.
FIELDS = {"host", "hostFromContainerRuntime", "hostFromClusterNetwork", "help"}
# As readers put it in front of an image's name: no scheme and no path.
ADDRESS = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?")


def told(**given: Any) -> dict[str, str]:
    page = given.pop("help_page", "")
    body = hosting.build(read(**given), help_page=page)
    assert body["data"].keys() == {hosting.KEY}
    found: dict[str, str] = yaml.safe_load(body["data"][hosting.KEY])
    return found


def test_it_lies_where_the_standard_has_it() -> None:
    body = hosting.build(read())
    meta = body["metadata"]
    assert (body["apiVersion"], body["kind"]) == ("v1", "ConfigMap")
    assert (meta["namespace"], meta["name"]) == ("kube-public", "local-registry-hosting")
    assert hosting.KEY == "localRegistryHosting.v1"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {},
            {
                "host": "registry.example.internal",
                "hostFromContainerRuntime": "registry.example.internal",
                "hostFromClusterNetwork": "dev-registry.team.svc:80",
            },
        ),
        (
            {"host": "registry.example.internal:5000", "help_page": "https://docs.example.com/r#x"},
            {
                "host": "registry.example.internal:5000",
                "hostFromContainerRuntime": "registry.example.internal:5000",
                "hostFromClusterNetwork": "dev-registry.team.svc:80",
                "help": "https://docs.example.com/r#x",
            },
        ),
    ],
    ids=["a name alone", "with a port, and a page for whoever cannot push"],
)
def test_tools_are_told_where_to_push_and_what_pods_name(
    given: dict[str, Any], expected: dict[str, str]
) -> None:
    found = told(**given)
    assert found == expected
    assert found.keys() <= FIELDS
    assert all(ADDRESS.fullmatch(found[key]) for key in found.keys() - {"help"})


@pytest.mark.parametrize(
    "page", ["https://x/'\"\n  host: evil", "https://x/{{ a }}: b # c", "- a", "null", "5"]
)
def test_what_an_administrator_writes_stays_one_text(page: str) -> None:
    assert told(help_page=page)["help"] == page


def test_a_label_is_no_proof_of_whose_it_is() -> None:
    body = hosting.build(read())
    assert hosting.owner(body) == "u1"
    del body["metadata"]["annotations"]
    assert body["metadata"]["labels"]
    assert hosting.owner(body) is None
    assert not body.get("ownerReferences"), "an owner in another namespace has it deleted"


@pytest.mark.parametrize(
    ("value", "asked"), [("true", True), ("false", False), ("", False), ("True", False)]
)
def test_only_true_asks_for_it(value: str, asked: bool) -> None:
    assert hosting.asked(read(annotations={names.HOSTING_ANNOTATION: value})) is asked
    assert not hosting.asked(read())


def test_what_others_add_is_no_difference() -> None:
    wanted = hosting.build(read())
    live = hosting.build(read())
    live["data"]["localRegistryHosting.v2"] = "x"
    live["metadata"]["labels"]["a"] = live["metadata"]["annotations"]["b"] = "c"
    assert hosting.same(live, wanted)
    for part in ("labels", "annotations"):
        changed = {**live, "metadata": {**live["metadata"], part: None}}
        assert not hosting.same(changed, wanted)
    assert not hosting.same({**live, "data": None}, wanted)
    assert not hosting.same({**live, "data": {hosting.KEY: "host: other"}}, wanted)
