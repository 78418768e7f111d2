"""Traefik as a second Ingress controller of a running cluster, put there by whoever tests it."""

from kind import build, cluster, load, nodeimages, progress
from kind.settings import HERE, TRAEFIK_IMAGE, Settings

_MANIFEST = HERE / "addons" / "traefik.yaml"
_WAIT_SECONDS = 120


def up(settings: Settings) -> None:
    """Build it, load its image into the nodes and wait until it runs; quick where it does."""
    build.ensure(settings, ["traefik"])
    nodeimages.ensure_traefik(settings)
    load.load(settings, [TRAEFIK_IMAGE])
    with progress.Progress(1).step("Traefik", "applying", seconds=5):
        cluster.kubectl(settings, "apply", "--server-side", "--filename", str(_MANIFEST))
        cluster.kubectl(
            settings,
            *("rollout", "status", "deployment/traefik", "--namespace=traefik"),
            f"--timeout={_WAIT_SECONDS}s",
            timeout=_WAIT_SECONDS + 10,
        )


def down(settings: Settings) -> None:
    """Take it away again, and wait until it has gone; fine where it is not."""
    with progress.Progress(1).step("Traefik", "deleting"):
        cluster.kubectl(
            settings,
            *("delete", "--ignore-not-found", "--filename", str(_MANIFEST)),
            timeout=_WAIT_SECONDS,
        )
