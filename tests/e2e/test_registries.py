"""Several LocalRegistries on the real cluster, their children, and the ways to install."""

from __future__ import annotations

import time

import pytest

from e2e import demo, install
from e2e.cluster import LREG, REGISTRIES, ROOT, SYSTEM, Cluster, differences, run_kind, wait_until
from e2e.images import Images

ONE, TWO = "one.example.internal", "two.example.internal"


@pytest.mark.long
def test_two_registries_with_different_hosts_both_work(clean: Cluster, built: Images) -> None:
    for name, host in (("one", ONE), ("two", TWO)):
        clean.apply_registry(name, host=host)
    for name, host in (("one", ONE), ("two", TWO)):
        clean.wait_ready(name)
        assert clean.status(name)["nodes"]["summary"] == "3/3"
        clean.wait_ready(name, condition="Exposed")
        demo.push(built.app, f"{host}/app:1", host=host)
        demo.run_on_every_node(clean, f"{host}/app:1", label=name)


def test_a_held_host_is_a_conflict_and_passes_on_when_the_holder_goes(clean: Cluster) -> None:
    clean.apply_registry("one", host=ONE)
    clean.wait_ready("one")
    clean.apply_registry("two", host=ONE)
    wait_until(
        lambda: any(
            c["type"] == "NodesReady" and c["reason"] == "HostConflict"
            for c in clean.status("two").get("conditions", [])
        ),
        timeout=15,
        what="the conflict",
    )
    assert clean.status("one")["nodes"]["summary"] == "3/3"
    clean.kubectl("delete", LREG, "one", "-n", REGISTRIES, "--timeout=30s")
    clean.wait_ready("two", timeout=60)


# The others are in the tier `api`, for each kind.
OTHERS = ("service", "ingress", "configmap")


@pytest.mark.parametrize(
    "kind", ["deployment", *(pytest.param(kind, marks=pytest.mark.long) for kind in OTHERS)]
)
def test_a_deleted_child_is_back_within_ten_seconds(clean: Cluster, kind: str) -> None:
    clean.apply_registry("one", host=ONE)
    clean.wait_ready("one")
    name = "one-registry"
    before = clean.get(kind, name, "-n", REGISTRIES)["metadata"]["uid"]
    clean.kubectl("delete", kind, name, "-n", REGISTRIES, "--wait=false")

    def is_back() -> bool:
        if not clean.exists(kind, name, "-n", REGISTRIES):
            return False
        return bool(clean.get(kind, name, "-n", REGISTRIES)["metadata"]["uid"] != before)

    wait_until(is_back, timeout=10, what=f"the {kind}")
    clean.wait_ready("one", timeout=60)


def test_a_namespace_with_a_registry_in_it_goes_and_takes_the_trust_along(clean: Cluster) -> None:
    before = clean.files()
    clean.apply_registry("one", host=ONE)
    clean.wait_ready("one")
    started = time.monotonic()
    clean.kubectl("delete", "namespace", REGISTRIES, "--timeout=60s")
    assert time.monotonic() - started < 60
    assert differences(before, clean.files()) == []
    clean.kubectl("apply", "-f", "-", input=demo.namespace(REGISTRIES))


def test_a_restart_of_the_operator_does_not_make_a_registry_less_ready(clean: Cluster) -> None:
    clean.apply_registry("one", host=ONE)
    clean.wait_ready("one")
    since = next(c for c in clean.status("one")["conditions"] if c["type"] == "Ready")
    clean.kubectl("rollout", "restart", "deployment", install.RELEASE, "-n", SYSTEM)
    clean.kubectl("rollout", "status", "deployment", install.RELEASE, "-n", SYSTEM)
    time.sleep(5)
    clean.kubectl("delete", "ingress", "one-registry", "-n", REGISTRIES)
    wait_until(
        lambda: clean.exists("ingress", "one-registry", "-n", REGISTRIES),
        timeout=30,
        what="the new operator to act",
    )
    now = next(c for c in clean.status("one")["conditions"] if c["type"] == "Ready")
    assert now["lastTransitionTime"] == since["lastTransitionTime"]


def test_install_yaml_works_by_kubectl_apply(clean: Cluster, built: Images) -> None:
    """Without Helm and without a registry of images: the nodes have what install.yaml names."""
    install.uninstall(clean)
    install.as_released(built)
    try:
        clean.kubectl("apply", "--server-side", "-f", str(ROOT / "manifests" / "install.yaml"))
        clean.kubectl("rollout", "status", "deployment", install.RELEASE, "-n", SYSTEM)
        clean.apply_registry("one", host=ONE)
        clean.wait_ready("one")
        assert clean.status("one")["nodes"]["summary"] == "3/3"
        clean.kubectl("delete", LREG, "one", "-n", REGISTRIES, "--timeout=30s")
    finally:
        clean.kubectl(
            *("delete", "-f", str(ROOT / "manifests" / "install.yaml"), "--ignore-not-found"),
            "--timeout=120s",
        )
        install.install(clean, built)


def test_a_cluster_that_runs_is_found_in_five_seconds(cluster: Cluster) -> None:
    started = time.monotonic()
    run_kind("up")
    assert time.monotonic() - started < 5
