"""Names, versions and places, decided in one module.

Third-party versions stand in ``go/*/go.mod``; those that a go.mod cannot say stand here.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from kind import shell

HERE = Path(__file__).resolve().parent

KUBERNETES = "v1.36.3"
# The oldest and the newest that the chart is for; `KUBERNETES=1.34` chooses one in place of the
# default. Their modules stand in go/kubernetes-1.34 and so on.
OTHERS = ("v1.34.4", "v1.37.2")
BASE_IMAGE = "docker.io/library/python:3.13-slim-trixie"
REGISTRY_IMAGE = "docker.io/library/registry:3.1.1"
TOOLS_IMAGE = "localregistry.dev/test/tools:1"
STORAGE_IMAGE = "localregistry.dev/test/local-path-provisioner:v0.0.30"
INGRESS_IMAGE = "localregistry.dev/test/ingress-nginx:v1.11.0"
TRAEFIK = "v3.7.13"
TRAEFIK_IMAGE = f"localregistry.dev/test/traefik:{TRAEFIK}"
# In place of what is built from Debian packages, on machines that pull stock images.
INGRESS_UPSTREAM = "registry.k8s.io/ingress-nginx/controller:v1.11.0"
STOCK_BASE = "docker.io/library/debian:trixie-slim"

# kind puts this label on its node containers; ours go on everything else that we start.
KIND_LABEL = "io.x-k8s.kind.cluster"
OUR_LABEL = "localregistry.dev/kind"
NETWORK = "kind"
_CLUSTER = "localregistry"


@dataclass(frozen=True)
class Settings:
    """What the environment says: where the cache is, how the cluster is called, what it runs."""

    cache: Path
    cluster: str
    stock_image: str | None
    kubernetes: str = KUBERNETES

    @property
    def other(self) -> str | None:
        """Minor version of Kubernetes, ``1.34``; None for the default one."""
        return None if self.kubernetes == KUBERNETES else minor(self.kubernetes)

    @property
    def apart(self) -> str:
        """Folder, and first part of an image's name, of what is built of another version.

        ``1.34/``, or nothing: neither version then takes the other's away as too old.
        """
        return f"{self.other}/" if self.other else ""

    @property
    def bin(self) -> Path:
        """Directory of the tools, to be put first on PATH."""
        return self.cache / (f"bin-{self.other}" if self.other else "bin")

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of the cluster; ``~/.kube/config`` is never touched."""
        name = "kubeconfig" if self.cluster == _CLUSTER else f"kubeconfig-{self.cluster}"
        return self.cache / name

    @property
    def control_plane(self) -> str:
        """Name of the container that runs the control plane and the ingress controller."""
        return f"{self.cluster}-control-plane"


def from_environment(environ: dict[str, str] | None = None) -> Settings:
    """Read ``LOCALREGISTRY_CACHE``, ``LR_CLUSTER_NAME``, ``NODE_IMAGE`` and ``KUBERNETES``.

    Raises Failed for a version of Kubernetes that there are no modules of.
    """
    env = dict(os.environ) if environ is None else environ
    kubernetes = _version(env.get("KUBERNETES") or KUBERNETES)
    apart = "" if kubernetes == KUBERNETES else f"-{minor(kubernetes).replace('.', '-')}"
    if env.get("LOCALREGISTRY_CACHE"):
        cache = Path(env["LOCALREGISTRY_CACHE"])
    else:
        base = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".cache")
        cache = Path(base) / "localregistry"
    return Settings(
        cache=cache.absolute(),
        cluster=env.get("LR_CLUSTER_NAME") or f"{_CLUSTER}{apart}",
        stock_image=env.get("NODE_IMAGE") or None,
        kubernetes=kubernetes,
    )


def minor(version: str) -> str:
    """Return the minor version of a version.

    >>> minor("v1.34.4")
    '1.34'
    """
    return ".".join(version.removeprefix("v").split(".")[:2])


def _version(wanted: str) -> str:
    """Return the version that ``1.34``, ``1.34.4`` or ``v1.34.4`` means."""
    versions = (KUBERNETES, *OTHERS)
    for version in versions:
        if wanted.removeprefix("v") in (minor(version), version.removeprefix("v")):
            return version
    raise shell.Failed(f"KUBERNETES={wanted}: there are modules of {', '.join(versions)} only")
