"""Chart, overlays and plain manifests at a real API server: it judges each field, and both Helms
install, upgrade and remove."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from api import prometheuscrds
from api.apiserver import REPOSITORY, ApiServer
from api.processes import wait_until
from chart.helms import CASES, CHART, HELMS, NAMESPACE, RELEASE, Helm, case
from localregistry.version import VERSION

MANIFESTS = REPOSITORY / "manifests"
PLAIN = ("install.yaml", "uninstall.yaml", "clean-nodes.yaml")
OVERLAYS = sorted(path.name for path in (MANIFESTS / "overlays").iterdir())
CRD = "crd/localregistries.localregistry.dev"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One of its own, without our CRD; with the controllers, for roles are aggregated by one."""
    folder = tmp_path_factory.mktemp("chart")
    with ApiServer.start(folder, with_controller_manager=True) as started:
        prometheuscrds.install(started)
        for name in (NAMESPACE, "localregistry-clean", "registries"):
            started.kubectl("create", "namespace", name)
        yield started


@pytest.fixture(scope="module")
def helms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Helm]:
    return {name: Helm.of(name, tmp_path_factory.mktemp(name)) for name in HELMS}


def dry_run(server: ApiServer, documents: Any) -> list[str]:
    """What the API server makes of each; an unknown field is an error, not a warning."""
    how = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    done = server.kubectl("apply", *how, "-f", "-", input=documents)
    assert "Warning" not in done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", CASES)
def test_every_object_of_the_chart_is_what_the_api_server_takes(
    server: ApiServer, helms: dict[str, Helm], name: str
) -> None:
    documents = helms["helm"].template(case(name))
    assert len(dry_run(server, documents)) == len(documents)


@pytest.mark.parametrize("name", PLAIN)
def test_every_object_of_the_plain_files_is_what_the_api_server_takes(
    server: ApiServer, name: str
) -> None:
    documents = list(yaml.load_all((MANIFESTS / name).read_text(), yaml.CSafeLoader))
    assert len(dry_run(server, documents)) == len(documents)


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_object_of_the_overlays_is_what_the_api_server_takes(
    server: ApiServer, name: str
) -> None:
    text = server.kubectl("kustomize", str(MANIFESTS / "overlays" / name)).stdout
    documents = list(yaml.load_all(text, yaml.CSafeLoader))
    assert len(dry_run(server, documents)) == len(documents)


def test_an_unknown_field_would_have_been_found(server: ApiServer) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x", "namespace": NAMESPACE},
    }
    with pytest.raises(AssertionError, match=r"spec\.prots"):
        dry_run(server, {**body, "spec": {"prots": []}})


class Release:
    """One release. There is no kubelet: nothing is waited for, and hooks are left out."""

    def __init__(self, server: ApiServer, helm: Helm) -> None:
        self.server, self.helm = server, helm

    def __call__(self, command: str, *arguments: str) -> str:
        config = ("--kubeconfig", str(self.server.kubeconfig), "-n", NAMESPACE)
        return self.helm.ok(command, RELEASE, *arguments, *config)

    def objects(self) -> dict[str, str]:
        """Which version of each object of the release is stored; a change of status makes none."""
        config = ("--kubeconfig", str(self.server.kubeconfig), "-n", NAMESPACE)
        text = self.helm.ok("get", "manifest", RELEASE, *config)
        documents = [body for body in yaml.load_all(text, yaml.CSafeLoader) if body]
        metas = {
            f"{item['kind']} {item['metadata']['name']}": item["metadata"]
            # kubectl looks for objects of one namespace at a time.
            for namespace in {_namespace(body) for body in documents}
            for item in self._live(namespace, documents)
        }
        assert len(metas) == len(documents)
        return {
            name: str(meta.get("generation", meta["resourceVersion"]))
            for name, meta in metas.items()
        }

    def _live(self, namespace: str, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        bodies = [body for body in documents if _namespace(body) == namespace]
        said = self.server.kubectl("get", "-f", "-", "-n", namespace, "-o", "json", input=bodies)
        found = json.loads(said.stdout)
        items: list[dict[str, Any]] = found.get("items", [found])
        return items


def _namespace(body: dict[str, Any]) -> str:
    return str(body["metadata"].get("namespace", NAMESPACE))


@pytest.fixture
def cleared(server: ApiServer, helms: dict[str, Helm]) -> Iterator[None]:
    yield
    place = ("--kubeconfig", str(server.kubeconfig), "-n", NAMESPACE)
    helms["helm"].run("uninstall", RELEASE, "--no-hooks", *place)
    server.kubectl("delete", CRD, "--ignore-not-found")


@pytest.mark.usefixtures("cleared")
@pytest.mark.parametrize("name", HELMS)
def test_a_release_is_installed_upgraded_and_removed_but_for_the_crd(
    server: ApiServer, helms: dict[str, Helm], name: str
) -> None:
    release = Release(server, helms[name])
    said = release("install", str(CHART))
    assert f"localregistry {VERSION} runs in namespace {NAMESPACE}" in said
    before = release.objects()
    assert "Service localregistry" in before
    release("upgrade", str(CHART))
    assert release.objects() == before, "nothing is written where nothing changed"
    release("upgrade", str(CHART), case("everything"))
    assert "PrometheusRule localregistry" in release.objects()
    release("upgrade", str(CHART), "--reset-values")
    assert release.objects().keys() == before.keys()
    release("uninstall", "--no-hooks")
    left = server.kubectl("get", "-o", "name", "-n", NAMESPACE, "deploy,svc,role,netpol").stdout
    assert left == ""
    assert server.kubectl("get", CRD, "-o", "name").stdout


@pytest.mark.usefixtures("cleared")
def test_a_release_of_helm_3_goes_on_under_helm_4(
    server: ApiServer, helms: dict[str, Helm]
) -> None:
    old, new = (Release(server, helms[name]) for name in ("helm3", "helm"))
    old("install", str(CHART))
    new("upgrade", str(CHART), "--set", "logLevel=debug")
    deployment = server.get("deployment", RELEASE, "-n", NAMESPACE)
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": "LOG_LEVEL", "value": "debug"} in container["env"]
    new("uninstall", "--no-hooks")


@pytest.mark.usefixtures("cleared")
def test_a_crd_that_shall_not_be_kept_goes_with_the_release(
    server: ApiServer, helms: dict[str, Helm]
) -> None:
    release = Release(server, helms["helm"])
    release("install", str(CHART), "--set", "crds.keep=false")
    release("uninstall", "--no-hooks")
    wait_until(
        lambda: server.kubectl("get", CRD, check=False).returncode != 0,
        timeout=30,
        what="the CRD to go",
    )


@pytest.mark.usefixtures("cleared")
def test_the_commands_that_helm_prints_are_ones_that_work(
    server: ApiServer, helms: dict[str, Helm]
) -> None:
    release = Release(server, helms["helm"])
    said = release("install", str(CHART))
    [applied] = re.findall(r"<<END\n(.*?)\n *END$", said, re.DOTALL | re.MULTILINE)
    text = re.sub(r"^  ", "", applied, flags=re.MULTILINE)
    assert len(dry_run(server, text)) == 2
    assert "pod-security.kubernetes.io/enforce=privileged" in said
    label = "pod-security.kubernetes.io/enforce"
    server.kubectl("label", "namespace", NAMESPACE, f"{label}=privileged")
    again = release("upgrade", str(CHART))
    assert label not in again
    server.kubectl("label", "namespace", NAMESPACE, f"{label}-")
    commands = re.findall(r"^  kubectl (\w+) ", again, re.MULTILINE)
    assert commands == ["apply", "wait", "get"]
    release("uninstall", "--no-hooks")


@pytest.mark.usefixtures("cleared")
def test_the_examples_on_artifact_hub_are_ones_that_the_crd_takes(server: ApiServer) -> None:
    server.apply_crd()
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    examples = yaml.safe_load(chart["annotations"]["artifacthub.io/crdsExamples"])
    for example in examples:
        example["metadata"]["namespace"] = "registries"
    assert len(dry_run(server, examples)) == len(examples) == 2


@pytest.mark.usefixtures("cleared")
@pytest.mark.parametrize(
    ("role", "enabled", "allowed"),
    [
        ("edit", False, []),
        ("edit", True, ["get", "create", "delete"]),
        ("view", True, ["get"]),
        ("admin", True, ["get", "create", "delete"]),
    ],
)
def test_roles_of_the_cluster_hold_ours_only_where_asked(
    server: ApiServer, helms: dict[str, Helm], role: str, enabled: bool, allowed: list[str]
) -> None:
    release = Release(server, helms["helm"])
    release("install", str(CHART), "--set", f"aggregatedRoles.enabled={str(enabled).lower()}")
    binding = ("rolebinding", f"of-{role}", "-n", "registries")
    server.kubectl("create", *binding, f"--clusterrole={role}", "--user=somebody")

    def may(verb: str) -> bool:
        asked = ("auth", "can-i", verb, "localregistries.localregistry.dev", "-n", "registries")
        return server.kubectl(*asked, "--as=somebody", check=False).returncode == 0

    try:
        if allowed:
            wait_until(lambda: may("get"), timeout=20, what="the roles to be aggregated")
        assert [verb for verb in ("get", "create", "delete") if may(verb)] == allowed
    finally:
        server.kubectl("delete", *binding)
        release("uninstall", "--no-hooks")
        # The next one must not see what this one granted.
        wait_until(lambda: not may("get"), timeout=20, what="the roles to be withdrawn")
