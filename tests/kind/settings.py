"""Names, versions and places, decided in one module.

Third-party versions stand in ``go/*/go.mod``; those that a go.mod cannot say stand here.
"""

import os
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent

KUBERNETES = "v1.36.3"
BASE_IMAGE = "docker.io/library/python:3.13-slim-trixie"
REGISTRY_IMAGE = "docker.io/library/registry:3.1.1"
TOOLS_IMAGE = "localregistry.dev/test/tools:1"
STORAGE_IMAGE = "localregistry.dev/test/local-path-provisioner:v0.0.30"
INGRESS_IMAGE = "localregistry.dev/test/ingress-nginx:v1.11.0"
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
    """What the environment says: where the cache is, how the cluster is called."""

    cache: Path
    cluster: str
    stock_image: str | None

    @property
    def bin(self) -> Path:
        """Directory of the tools, to be put first on PATH."""
        return self.cache / "bin"

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
    """Read ``LOCALREGISTRY_CACHE``, ``LR_CLUSTER_NAME`` and ``NODE_IMAGE``."""
    env = dict(os.environ) if environ is None else environ
    if env.get("LOCALREGISTRY_CACHE"):
        cache = Path(env["LOCALREGISTRY_CACHE"])
    else:
        base = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".cache")
        cache = Path(base) / "localregistry"
    return Settings(
        cache=cache.absolute(),
        cluster=env.get("LR_CLUSTER_NAME") or _CLUSTER,
        stock_image=env.get("NODE_IMAGE") or None,
    )
