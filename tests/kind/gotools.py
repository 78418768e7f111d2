"""The Go programs: which go.mod names each, and the linker flags that carry its version.

Every group under ``go/`` is one module without source: its ``tool`` lines and its go.sum pin what
is built. Groups are apart because their dependencies contradict one another, and since Kubernetes
is built in more than one version.
"""

from dataclasses import dataclass, replace

from kind.settings import HERE, KUBERNETES, TRAEFIK, Settings, minor

CONTAINERD = "2.4.2"
# A module of 29's line carries no release number of its own; this one is what the agent reads.
DOCKERD = "29.8.0"


def _kubernetes_flags(kubernetes: str) -> tuple[str, ...]:
    """Kubernetes' own version, which kubeadm and `kubectl version` read from link-time values."""
    major, after = minor(kubernetes).split(".")
    values = {
        "gitVersion": kubernetes,
        "gitMajor": major,
        "gitMinor": after,
        "gitTreeState": "clean",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return tuple(f"-X {pkg}.{name}={value}" for pkg in packages for name, value in values.items())


@dataclass(frozen=True)
class Tool:
    """One binary: its name in the bin directory, its group, its package, cold seconds.

    ``apart`` is the folder of the cache that it is kept in beside the others, where it is another
    version of one of them.
    """

    name: str
    group: str
    package: str
    seconds: int
    flags: tuple[str, ...] = ()
    apart: str = ""

    @property
    def module_dir(self) -> "str":
        """Folder of the group's go.mod."""
        return str(HERE / "go" / self.group)

    @property
    def ldflags(self) -> str:
        """Linker flags; ``-s -w`` halves the images."""
        return " ".join(("-s", "-w", *self.flags))


def _kubernetes(name: str, seconds: int) -> Tool:
    flags = _kubernetes_flags(KUBERNETES)
    return Tool(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", seconds, flags)


def _containerd(name: str, seconds: int) -> Tool:
    version = "github.com/containerd/containerd/v2/version"
    flags = (f"-X {version}.Version={CONTAINERD}",)
    package = f"github.com/containerd/containerd/v2/cmd/{name}"
    return Tool(name, "containerd", package, seconds, flags)


# What a cluster needs, in the order of need: the API server's tests can start once the first three
# are there.
_CLUSTER = (
    Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3", 65),
    _kubernetes("kube-apiserver", 280),
    _kubernetes("kubectl", 24),
    _kubernetes("kube-controller-manager", 63),
    Tool(
        "helm",
        "helm",
        "helm.sh/helm/v4/cmd/helm",
        60,
        ("-X helm.sh/helm/v4/internal/version.version=v4.3.1",),
    ),
    Tool("crane", "crane", "github.com/google/go-containerregistry/cmd/crane", 20),
    Tool("kind", "kind", "sigs.k8s.io/kind", 15),
    _kubernetes("kubeadm", 12),
    _kubernetes("kubelet", 17),
    _kubernetes("kube-scheduler", 4),
    _kubernetes("kube-proxy", 8),
    Tool(
        "registry",
        "registry",
        "github.com/distribution/distribution/v3/cmd/registry",
        90,
        ("-X github.com/distribution/distribution/v3/version.version=v3.1.1",),
    ),
    Tool("coredns", "coredns", "github.com/coredns/coredns", 134),
    Tool(
        "cri-dockerd",
        "cri-dockerd",
        "github.com/Mirantis/cri-dockerd",
        150,
        ("-X github.com/Mirantis/cri-dockerd/cmd/version.Version=0.4.3",),
    ),
    Tool(
        "local-path-provisioner",
        "local-path-provisioner",
        "github.com/rancher/local-path-provisioner",
        60,
    ),
    Tool("nginx-ingress-controller", "ingress-nginx", "k8s.io/ingress-nginx/cmd/nginx", 75),
)

# The chart's tests run each Helm that it is for; on the cluster the newest does.
_CHART = (
    Tool(
        "helm3",
        "helm3",
        "helm.sh/helm/v3/cmd/helm",
        60,
        ("-X helm.sh/helm/v3/internal/version.version=v3.22.0",),
    ),
)

# A second Ingress controller that reads ingress-nginx's annotations; only its own tests run it.
_FRONTS = (
    Tool(
        "traefik",
        "traefik",
        "github.com/traefik/traefik/v3/cmd/traefik",
        180,
        (f"-X github.com/traefik/traefik/v3/pkg/version.Version={TRAEFIK}",),
    ),
)

# Runtimes newer than any Debian suite has: only the agent's tests run them.
_RUNTIMES = (
    _containerd("containerd", 40),
    _containerd("containerd-shim-runc-v2", 5),
    Tool(
        "dockerd",
        "moby",
        "github.com/moby/moby/v2/cmd/dockerd",
        180,
        (f"-X github.com/moby/moby/v2/dockerversion.Version={DOCKERD}",),
    ),
)

CLUSTER: tuple[str, ...] = tuple(tool.name for tool in _CLUSTER)
_ALL: dict[str, Tool] = {tool.name: tool for tool in (*_CLUSTER, *_CHART, *_FRONTS, *_RUNTIMES)}


def of(settings: Settings) -> dict[str, Tool]:
    """All tools by name, Kubernetes' own in the version that the settings choose."""
    if settings.other is None:
        return _ALL
    group, flags = f"kubernetes-{settings.other}", _kubernetes_flags(settings.kubernetes)
    return {
        name: replace(tool, group=group, flags=flags, apart=settings.apart)
        if tool.group == "kubernetes"
        else tool
        for name, tool in _ALL.items()
    }
