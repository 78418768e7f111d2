"""As both Helms render the chart. tests/golden/chart holds the default, and what others change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chart.helms import CASES, CHART, Helm, Manifest, case, of_kind
from localregistry.controller.main import parse
from localregistry.render import dump
from localregistry.resources import node_agent
from localregistry.resources.config import OperatorConfig
from unit.golden import assert_golden

CRD = "CustomResourceDefinition"


def shown(items: list[Manifest], beside: list[Manifest]) -> str:
    """What is not as in `beside`, and what of that is absent. The CRD's schema has its own file."""
    names = {identity(item) for item in items}
    absent = [f"# Absent: {identity(item)}\n" for item in beside if identity(item) not in names]
    short = [
        {**item, "spec": "…"} if item["kind"] == CRD else item
        for item in items
        if item not in beside
    ]
    return "".join(absent) + "---\n".join(dump(item) for item in short)


def identity(item: Manifest) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def environment(items: list[Manifest]) -> dict[str, str]:
    [container] = of_kind(items, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item["value"] for item in container["env"] if "value" in item}


@pytest.mark.parametrize("name", CASES)
def test_what_is_installed_is_what_the_golden_file_says(
    request: pytest.FixtureRequest, helms: dict[str, Helm], name: str
) -> None:
    beside = [] if name == "default" else helms["helm"].template(case("default"))
    text = shown(helms["helm"].template(case(name)), beside)
    assert_golden(request, f"chart/{name}.yaml", text)


@pytest.mark.parametrize("name", CASES)
def test_both_helms_install_the_same(helms: dict[str, Helm], name: str) -> None:
    first, second = (helm.template(case(name)) for helm in helms.values())
    assert sorted(map(json.dumps, first)) == sorted(map(json.dumps, second))


@pytest.mark.parametrize("name", CASES)
def test_lint_has_nothing_to_say(helm: Helm, name: str) -> None:
    said = helm.ok("lint", str(CHART), "--strict", case(name))
    assert "[ERROR]" not in said
    assert "[WARNING]" not in said


@pytest.mark.parametrize("name", CASES)
def test_the_operator_reads_what_it_is_told(helms: dict[str, Helm], name: str) -> None:
    told = environment(helms["helm"].template(case(name)))
    options = parse([], told)
    assert options.agent_image == told["AGENT_IMAGE"]
    assert options.log_level == told["LOG_LEVEL"]


def test_least_privilege_and_the_agents_size_reach_the_daemonset(helm: Helm) -> None:
    options = parse([], environment(helm.template(case("least-privilege"))))
    daemonset = node_agent.build(
        OperatorConfig(
            agent_privileged=options.agent_privileged, agent_resources=options.agent_resources
        )
    )
    [container] = daemonset["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["privileged"] is False
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "64Mi"}


def test_the_crd_is_kept_unless_the_user_says_otherwise(helm: Helm) -> None:
    kept = of_kind(helm.template(), CRD)["metadata"]["annotations"]
    assert kept["helm.sh/resource-policy"] == "keep"
    left = of_kind(helm.template("--set", "crds.keep=false"), CRD)["metadata"]
    assert "helm.sh/resource-policy" not in left.get("annotations", {})


def test_labels_of_the_user_never_take_the_place_of_those_that_select(helm: Helm) -> None:
    deployment = of_kind(helm.template(case("everything")), "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"].items() <= labels.items()
    assert labels["team"] == "platform"


def test_what_is_there_once_for_the_cluster_has_the_releases_name(helm: Helm) -> None:
    items = helm.template(release="other")
    names = {item["metadata"]["name"] for item in items if item["kind"] != CRD}
    assert {name for name in names if not name.startswith("other-localregistry")} == set()


@pytest.mark.parametrize(
    ("repository", "mirrored"),
    [
        ("docker.io/localregistry/operator", "m.example:5000/a/localregistry/operator"),
        ("localhost/operator", "m.example:5000/a/operator"),
        ("localhost:5000/operator", "m.example:5000/a/operator"),
        ("localregistry/operator", "m.example:5000/a/localregistry/operator"),
        ("operator", "m.example:5000/a/operator"),
    ],
)
def test_a_mirror_takes_the_registrys_place(
    helms: dict[str, Helm], repository: str, mirrored: str
) -> None:
    values = ("imageRegistry=m.example:5000/a", f"image.repository={repository}")
    items = helms["helm"].template(*(part for value in values for part in ("--set", value)))
    [container] = of_kind(items, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"].rpartition(":")[0] == mirrored


def test_what_goes_into_the_package_is_what_users_need(helm: Helm, tmp_path: Path) -> None:
    helm.ok("package", str(CHART), "--destination", str(tmp_path))
    [package] = tmp_path.iterdir()
    assert helm.template(chart=package) == helm.template()
    assert "## Values" in helm.ok("show", "readme", str(package))


REFUSED: list[tuple[Any, str]] = [
    ({"imge": {}}, "imge"),
    ({"agent": {"privilegd": True}}, "privilegd"),
    ({"resources": {"limits": {"memory": "1 Gi"}}}, "memory"),
    ({"image": {"repository": "a", "digest": "sha256:1"}}, "digest"),
    ({"imageRegistry": "https://mirror"}, "imageRegistry"),
    ({"nodeSelector": {"a": 1}}, "nodeSelector"),
    ({"affinity": {"nodeAfinity": {}}}, "nodeAfinity"),
    ({"networkPolicy": {"metricsFrom": [{"pods": {}}]}}, "pods"),
    ({"tolerations": [{"efect": "NoSchedule"}]}, "efect"),
    ({"replicas": "two"}, "replicas"),
    (
        {"image": {"tag": f"1@sha256:{'a' * 64}", "digest": f"sha256:{'b' * 64}"}},
        "leave one of them out",
    ),
    (
        {"metrics": {"service": {"enabled": False}, "serviceMonitor": {"enabled": True}}},
        "needs metrics.service.enabled",
    ),
]


@pytest.mark.parametrize(("values", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_values_that_mean_nothing_are_refused_by_name(helm: Helm, values: Any, told: str) -> None:
    assert told in helm.refused(values)


def test_an_older_cluster_is_refused(helm: Helm) -> None:
    place = ("-n", "x", "--kube-version", "1.33.9")
    done = helm.run("template", "localregistry", str(CHART), *place)
    assert "kubeVersion: >=1.34.0-0" in done.stderr
