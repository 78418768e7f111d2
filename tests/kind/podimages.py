"""The images that pods of the cluster run: what each is made of, and what kubeadm calls it.

All are in both kinds of node: a pod whose image is missing on one kind would stay pending there.
Only the control plane's own images are left out of Docker nodes.
"""

from dataclasses import dataclass, field
from pathlib import Path

from kind import build, debian, digest, gotools, shell
from kind.settings import (
    HERE,
    INGRESS_IMAGE,
    REGISTRY_IMAGE,
    STORAGE_IMAGE,
    TOOLS_IMAGE,
    Settings,
)

_STATIC = 'FROM scratch\nENV PATH=/\nCOPY {0} /{0}\nENTRYPOINT ["/{0}"]\n'
_PAUSE = 'FROM scratch\nCOPY catatonit /pause\nENTRYPOINT ["/pause", "-P"]\n'
_PROXY = "ARG BASE\nFROM $BASE\nCOPY kube-proxy /usr/local/bin/kube-proxy\n"


@dataclass(frozen=True)
class PodImage:
    """One image: its reference, its Dockerfile, and what its build context holds.

    ``base`` names the image that it stands on: another PodImage's reference, or ``slim``.
    ``apart`` begins the name of what is kept of another version of Kubernetes.
    """

    ref: str
    dockerfile: str
    tool: str | None = None
    base: str | None = None
    files: Path | None = None
    nodes: frozenset[str] = field(default=frozenset({"containerd", "docker"}))
    seconds: int = 2
    apart: str = ""

    def key(self, settings: Settings, bases: dict[str, str]) -> str:
        """Hash of all that decides the content; ``bases`` maps a base to its key."""
        parts: list[str | Path] = [self.dockerfile]
        if self.tool:
            parts.append(build.keyed(settings, gotools.of(settings)[self.tool]).name)
        if self.base:
            parts.append(bases[self.base])
        if self.files:
            parts.append(self.files)
        return digest.digest(*parts)


def catalogue(settings: Settings) -> list[PodImage]:
    """Every pod image, a base before what stands on it; kubeadm itself says its references."""
    listed = shell.run(
        [
            build.have(settings, "kubeadm"),
            "config",
            "images",
            "list",
            f"--kubernetes-version={settings.kubernetes}",
        ],
        timeout=60,
    ).split()
    refs = {_short(ref): ref for ref in listed}
    control = frozenset({"containerd"})
    both = frozenset({"containerd", "docker"})
    images = HERE / "images"
    slim, tools = "slim", TOOLS_IMAGE
    return [
        PodImage(tools, _read(images / "tools"), base=slim, seconds=20),
        PodImage(refs["pause"], _PAUSE, base=slim),
        PodImage(refs["kube-proxy"], _PROXY, tool="kube-proxy", base=tools, apart=settings.apart),
        *(
            PodImage(refs[name], _STATIC.format(name), tool=name, nodes=nodes)
            for name, nodes in (("etcd", control), ("coredns", both))
        ),
        *(
            PodImage(
                refs[name], _STATIC.format(name), tool=name, nodes=control, apart=settings.apart
            )
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
        ),
        PodImage(
            STORAGE_IMAGE, _STATIC.format("local-path-provisioner"), tool="local-path-provisioner"
        ),
        PodImage(
            REGISTRY_IMAGE,
            _read(images / "registry"),
            tool="registry",
            files=images / "registry",
        ),
        PodImage(
            INGRESS_IMAGE,
            _read(images / "ingress-nginx"),
            tool="nginx-ingress-controller",
            base=slim,
            files=images / "ingress-nginx",
            nodes=control,
            seconds=30,
        ),
    ]


def pause(settings: Settings) -> str:
    """Reference of the sandbox image that this Kubernetes version wants."""
    return next(image.ref for image in catalogue(settings) if "/pause:" in image.ref)


def keys(settings: Settings, images: list[PodImage]) -> dict[str, str]:
    """Key of every image by its reference, and of the base ``slim``."""
    found = {"slim": debian.SLIM.key}
    for image in images:
        found[image.ref] = image.key(settings, found)
    return found


def _short(ref: str) -> str:
    return ref.rsplit("/", 1)[1].split(":")[0]


def _read(folder: Path) -> str:
    return (folder / "Dockerfile").read_text()
