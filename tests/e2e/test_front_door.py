"""What stops pushes between users and a registry, by the real ingress-nginx."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.cluster import REGISTRIES, Cluster, wait_until
from e2e.pushes import Refused, push
from e2e.test_ingress import HOST, served

pytestmark = [pytest.mark.lifecycle, pytest.mark.ux]

# Two looks ten seconds apart, and the cluster's own time to serve what was changed.
TOLD_SECONDS = 45
# ingress-nginx tells once a minute which Ingresses it has admitted.
ADMITTED_SECONDS = 60
# Of an Ingress that was changed: looked at soon, and that takes a minute where all is well.
HEALED_SECONDS = 90
# Where nothing of it was changed it is looked at each minute.
NOTICED_SECONDS = 60
FOREIGN = "foreign"


def told(cluster: Cluster, words: str, *, within: float = TOLD_SECONDS) -> None:
    def is_told() -> bool:
        found = cluster.condition("dev", "Exposed")
        return found.get("reason") == "PushStopped" and words in found["message"]

    try:
        wait_until(is_told, timeout=within, what=words)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {cluster.condition('dev', 'Exposed')}") from None


@pytest.mark.long
def test_an_ingress_that_limits_bodies_is_told_until_it_does_not(clean: Cluster) -> None:
    """A limit that the user has set: of one megabyte, as nginx has it where nobody says more."""
    clean.apply_registry("dev", host=HOST)
    way = served(clean)
    small = {"nginx.ingress.kubernetes.io/proxy-body-size": "1m"}
    clean.apply_registry("dev", host=HOST, ingress={"annotations": small})
    told(clean, "bodies of 512 MiB are refused with 413")
    # A client of this size may see the connection end before it reads why.
    with pytest.raises((Refused, OSError)):
        push(way, "large", size=2 << 20)
    clean.wait_ready("dev", timeout=10)
    clean.apply_registry("dev", host=HOST, ingress={"annotations": {}})
    clean.wait_ready("dev", condition="Exposed", timeout=HEALED_SECONDS)
    push(way, "large", size=2 << 20)


@pytest.mark.long
def test_somebody_elses_ingress_for_the_host_is_told_and_nodes_pull_all_the_same(
    clean: Cluster,
) -> None:
    """nginx serves the older of two that ask for the same; here one that leads to something else
    than a registry."""
    clean.apply_registry("other", host="other.example.internal", ingress={"enabled": False})
    clean.wait_ready("other")
    clean.kubectl("apply", "-f", "-", input=foreign_ingress())
    try:
        clean.apply_registry("dev", host=HOST)
        clean.wait_ready("dev")
        words = "something else than the registry answers there"
        told(clean, words, within=ADMITTED_SECONDS + TOLD_SECONDS)
        clean.wait_ready("dev", timeout=10)
        kept = clean.get("ingress", FOREIGN, "-n", REGISTRIES)
        assert kept["spec"]["rules"] == foreign_ingress()["spec"]["rules"], "it is not ours"
    finally:
        clean.kubectl("delete", "ingress", FOREIGN, "-n", REGISTRIES)
    clean.wait_ready("dev", condition="Exposed", timeout=NOTICED_SECONDS + HEALED_SECONDS)
    push(served(clean), "mine")


def foreign_ingress() -> dict[str, Any]:
    backend = {"service": {"name": "other-registry", "port": {"name": "usage"}}}
    paths = [{"path": p, "pathType": "Prefix", "backend": backend} for p in ("/v2/", "/")]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": FOREIGN, "namespace": REGISTRIES},
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{"host": HOST, "http": {"paths": paths}}],
        },
    }
