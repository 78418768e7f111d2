"""What tools read in kube-public, at a real API server, by the rights that the chart gives."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from api.apiserver import REPOSITORY, ApiServer, binaries
from api.lab import LREG, Lab, open_lab
from api.processes import wait_until
from api.standin import SYSTEM
from documented.runner import Documented, Shell

pytestmark = pytest.mark.ux

PAGE = "https://docs.example.com/registry"
KEY = "localRegistryHosting.v1"
ON = {"LOCAL_REGISTRY_HOSTING": "true", "LOCAL_REGISTRY_HOSTING_HELP": PAGE}
ASKS = "localregistry.dev/local-registry-hosting"
PATH = "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting"


def rights() -> list[dict[str, Any]]:
    """What the chart grants beside install.yaml."""
    command = [str(binaries("helm") / "helm"), "template", "localregistry"]
    command += [str(REPOSITORY / "manifests/chart"), "-n", SYSTEM, "--kube-version", "1.34.0"]
    command += ["--show-only", "templates/hosting.yaml"]
    command += ["--set", "localRegistryHosting.enabled=true"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        api.kubectl("apply", "--server-side", "-f", "-", input=rights())
        opened.start_operator(environment=ON)
        yield opened
    # Once no operator is there to make it again.
    api.request("DELETE", PATH)
    api.kubectl("delete", "-f", "-", "--ignore-not-found", input=rights())


def annotate(lab: Lab, name: str, value: str = "=true") -> None:
    lab.api.kubectl("annotate", LREG, name, "-n", lab.namespace, f"{ASKS}{value}")


def found(lab: Lab) -> dict[str, Any] | None:
    code, body = lab.api.request("GET", PATH)
    return body if code == 200 else None


def named(lab: Lab) -> str | None:
    """The host that tools push to."""
    body = found(lab)
    return str(yaml.safe_load(body["data"][KEY])["host"]) if body else None


def wait_for_host(lab: Lab, host: str | None) -> None:
    wait_until(lambda: named(lab) == host, timeout=30, what=f"tools are told of {host}")


def wait_for_words(lab: Lab, name: str, words: str) -> None:
    """In the condition Exposed; words alone are written every 10 s at most."""
    wait_until(
        lambda: words in lab.condition(name, "Exposed").get("message", ""),
        timeout=30,
        what=f"{name} says: {words}",
    )


def test_a_registry_is_named_to_tools(lab: Lab, documented: Documented) -> None:
    lab.apply("dev", host="registry.example.internal", storage={"ephemeral": True})
    lab.wait_for_children("dev")
    shell = Shell((binaries("kubectl"),), {"KUBECONFIG": str(lab.api.kubeconfig)})
    documented.run(shell, replace={"registries": lab.namespace})
    wait_for_host(lab, "registry.example.internal")
    [ran] = documented.run(shell)
    assert yaml.safe_load(ran.said) == {
        "host": "registry.example.internal",
        "hostFromContainerRuntime": "registry.example.internal",
        "hostFromClusterNetwork": f"dev-registry.{lab.namespace}.svc:80",
        "help": PAGE,
    }
    assert yaml.safe_load(ran.command.output).keys() == yaml.safe_load(ran.said).keys()
    wait_for_words(lab, "dev", "Tools find it by ConfigMap kube-public/local-registry-hosting")


def test_the_oldest_is_named_and_the_next_follows_it(lab: Lab) -> None:
    lab.apply("older", storage={"ephemeral": True})
    time.sleep(1.1)  # creationTimestamps are of whole seconds
    lab.apply("younger", storage={"ephemeral": True})
    for name in ("younger", "older"):
        annotate(lab, name)
    wait_for_host(lab, "older.example.internal")
    wait_for_words(lab, "younger", f"Tools find LocalRegistry {lab.namespace}/older")
    lab.delete_registry("older")
    wait_for_host(lab, "younger.example.internal")
    annotate(lab, "younger", "-")
    wait_for_host(lab, None)


def test_what_is_deleted_or_changed_comes_back(lab: Lab) -> None:
    lab.apply("dev", storage={"ephemeral": True})
    annotate(lab, "dev")
    wait_for_host(lab, "dev.example.internal")
    lab.api.request("DELETE", PATH)
    wait_for_host(lab, "dev.example.internal")
    merge = "application/merge-patch+json"
    evil = {"data": {KEY: "host: evil.example.com"}}
    assert lab.api.request("PATCH", PATH, evil, content_type=merge)[0] == 200
    wait_for_host(lab, "dev.example.internal")


def test_a_foreign_one_is_left_as_it_is(lab: Lab) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "local-registry-hosting", "namespace": "kube-public"},
        "data": {KEY: 'host: "localhost:5001"\n'},
    }
    lab.api.kubectl("create", "-f", "-", input=foreign)
    before = found(lab)
    lab.apply("dev", storage={"ephemeral": True})
    annotate(lab, "dev")
    wait_for_words(lab, "dev", "was not made by this operator")
    lab.delete_registry("dev")
    lab.wait_quiet()
    assert found(lab) == before


def test_nothing_is_asked_or_written_while_nothing_changes(lab: Lab) -> None:
    lab.apply("dev", storage={"ephemeral": True})
    lab.bring_up("dev")
    annotate(lab, "dev")
    address = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    lab.patch_status("ingress", "dev-registry", address)
    lab.wait_for("dev", "Exposed", "IngressAdmitted")
    wait_for_words(lab, "dev", "Tools find it")
    lab.wait_quiet()
    started = time.monotonic()
    time.sleep(20)
    # A watch is renewed by its own time-out.
    asked = [e["requestURI"] for e in lab.requests(started) if e["verb"] != "watch"]
    assert asked == []
