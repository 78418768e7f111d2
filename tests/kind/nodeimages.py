"""The two node images: one root file system, one runtime each, and the pod images inside."""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kind import build, debian, digest, engine, gotools, imagebuild, podimages, progress, shell
from kind.podimages import PodImage
from kind.settings import HERE, REGISTRY_IMAGE, STOCK_BASE, TOOLS_IMAGE, TRAEFIK_IMAGE, Settings

_NODE_TOOLS = ("kubeadm", "kubelet", "kubectl")
_CLIENT = "localregistry.dev/kind/client"
# Kept images that no cluster is made from.
_BESIDE = ("/python:", "/traefik:")


@dataclass(frozen=True)
class Images:
    """Tags of the images that a cluster is made from."""

    containerd: str
    docker: str
    client: str

    def tags(self) -> tuple[str, ...]:
        """All of them, to look for or to save."""
        return (self.containerd, self.docker, self.client)


def client_image(settings: Settings, images: list[PodImage]) -> PodImage:
    """Build the definition of the image that the `client` command runs."""
    folder = HERE / "images" / "client"
    assert images[0].ref == TOOLS_IMAGE
    return PodImage(
        _CLIENT, (folder / "Dockerfile").read_text(), tool="crane", base=TOOLS_IMAGE, files=folder
    )


def plan(settings: Settings) -> Images:
    """Name the images for what the repository says now, without building any."""
    images = podimages.catalogue(settings)
    keys = podimages.keys(settings, images)
    client = client_image(settings, images).key(settings, keys)
    tools = gotools.of(settings)
    key = digest.digest(
        settings.kubernetes,
        debian.NODE.key,
        HERE / "node",
        HERE / "scripts",
        *(build.keyed(settings, tools[name]).name for name in (*_NODE_TOOLS, "cri-dockerd")),
        *sorted(keys.values()),
    )
    prefix = f"{imagebuild.REPOSITORY}/{settings.apart}node"
    return Images(f"{prefix}-containerd:{key}", f"{prefix}-docker:{key}", f"{_CLIENT}:{client}")


def ensure(settings: Settings) -> Images:
    """Make sure that the engine holds the images: present, else loaded, else built and saved."""
    wanted = plan(settings)
    report = progress.Progress(1)
    if all(imagebuild.present(tag) for tag in wanted.tags()):
        report.cached("node images")
        return wanted
    folder = settings.cache / "images" / settings.apart
    saved = folder / f"nodes-{digest.digest(*wanted.tags())}.tar"
    if saved.exists():
        with report.step("node images", "loading from the cache", seconds=30):
            engine.docker("load", "--quiet", "--input", saved, timeout=600)
        if all(imagebuild.present(tag) for tag in wanted.tags()):
            return wanted
    _build_all(settings, wanted, report)
    with report.step("node images", "saving to the cache", seconds=20):
        saved.parent.mkdir(parents=True, exist_ok=True)
        scratch = saved.with_suffix(".part")
        refs = (*wanted.tags(), TOOLS_IMAGE, REGISTRY_IMAGE)
        engine.docker("save", "--output", scratch, *refs, timeout=600)
        for old in saved.parent.glob("nodes-*.tar"):
            old.unlink()
        scratch.rename(saved)
    _forget_old(settings, wanted)
    return wanted


def _forget_old(settings: Settings, wanted: Images) -> None:
    """Untag images of earlier keys; one that a container still uses stays.

    The pattern's star ends at a slash: a version of Kubernetes knows nothing of the others' images.
    """
    catalogue = podimages.catalogue(settings)
    keys = podimages.keys(settings, catalogue)
    keep = {imagebuild.keyed_tag(image, keys[image.ref]) for image in catalogue}
    keep |= {*wanted.tags(), *(imagebuild.root_tag(root) for root in (debian.SLIM, debian.NODE))}
    pattern = f"{imagebuild.REPOSITORY}/{settings.apart}*"
    listed = engine.docker("images", pattern, "--format", "{{.Repository}}:{{.Tag}}").split()
    for tag in listed:
        if tag not in keep and not any(name in tag for name in _BESIDE):
            shell.succeeds(["docker", "rmi", tag], timeout=60)


def ensure_tools(settings: Settings) -> str:
    """Return the reference of the tools image, built if it is missing."""
    images = podimages.catalogue(settings)
    _ensure_light(settings, images, [images[0]])
    return images[0].ref


def ensure_client(settings: Settings) -> str:
    """Return the tag of the client image, built if it is missing."""
    images = podimages.catalogue(settings)
    client = client_image(settings, images)
    return _ensure_light(settings, images, [images[0], client])[client.ref]


def ensure_traefik(settings: Settings) -> None:
    """Make sure that the engine holds the image of the second Ingress controller."""
    folder = HERE / "images" / "traefik"
    text = (folder / "Dockerfile").read_text()
    traefik = PodImage(TRAEFIK_IMAGE, text, tool="traefik", base=TOOLS_IMAGE)
    images = podimages.catalogue(settings)
    _ensure_light(settings, images, [images[0], traefik])


def _ensure_light(
    settings: Settings, images: list[PodImage], wanted: list[PodImage]
) -> dict[str, str]:
    """Make the few images that a cluster of stock nodes needs too; return their tags."""
    keys = podimages.keys(settings, images)
    tags = {image.ref: imagebuild.keyed_tag(image, image.key(settings, keys)) for image in wanted}
    if not all(imagebuild.present(tag) for tag in tags.values()):
        report = progress.Progress(len(wanted))
        base = (
            STOCK_BASE
            if settings.stock_image
            else imagebuild.root_image(settings, debian.SLIM, report)
        )
        for image in wanted:
            imagebuild.ensure(settings, image, {"slim": base, **tags}, report)
    return tags


def _build_all(settings: Settings, wanted: Images, report: progress.Progress) -> None:
    images = podimages.catalogue(settings)
    client = client_image(settings, images)
    report.grow(len(images) + 3)
    tags = {"slim": imagebuild.root_image(settings, debian.SLIM, report)}
    # The pause image takes one file out of this archive.
    debian.ensure(settings, debian.SLIM, report)
    keys = podimages.keys(settings, images)
    for image in images:
        tags[image.ref] = imagebuild.keyed_tag(image, keys[image.ref])
        imagebuild.ensure(settings, image, tags, report)
    tags[_CLIENT] = wanted.client
    imagebuild.ensure(settings, client, tags, report)
    root = imagebuild.root_image(settings, debian.NODE, report)
    pause = podimages.pause(settings)
    with tempfile.TemporaryDirectory(dir=imagebuild.scratch(settings)) as folder:
        common = _common(settings, Path(folder) / "common", root)
        with report.step("node image (containerd)", "building", seconds=20):
            _containerd(settings, Path(folder) / "containerd", common, wanted, pause, images)
        with report.step("node image (docker)", "building", seconds=30):
            _docker(settings, Path(folder) / "docker", common, wanted, pause, images)


def _copy(folder: Path, names: Iterable[str]) -> None:
    folder.mkdir(parents=True)
    for name in names:
        source = HERE / name
        if source.is_dir():
            shutil.copytree(source, folder / source.name)
        else:
            shutil.copy(source, folder / source.name)


def _binaries(settings: Settings, folder: Path, names: Iterable[str]) -> None:
    folder.mkdir()
    tools = gotools.of(settings)
    for name in names:
        shutil.copy(build.keyed(settings, tools[name]), folder / name)


def _common(settings: Settings, folder: Path, root: str) -> str:
    _copy(folder, ("node/common",))
    _binaries(settings, folder / "bin", _NODE_TOOLS)
    (folder / "version").write_text(settings.kubernetes)
    shutil.copy(HERE / "node/build/common.Dockerfile", folder / "Dockerfile")
    tag = f"localregistry.dev/kind/node-common:{digest.digest(root, folder)}"
    if not imagebuild.present(tag):
        imagebuild.build_context(folder, tag, root)
    return tag


def _save(folder: Path, images: list[PodImage], kind: str) -> Path:
    target = folder / "images.tar"
    refs = [image.ref for image in images if kind in image.nodes]
    engine.docker("save", "--output", target, *refs, timeout=600)
    return target


def _containerd(
    settings: Settings,
    folder: Path,
    common: str,
    wanted: Images,
    pause: str,
    images: list[PodImage],
) -> None:
    _copy(folder, ("node/containerd", "node/build/prune"))
    shutil.copy(HERE / "node/build/containerd.Dockerfile", folder / "Dockerfile")
    raw = f"{wanted.containerd}-raw"
    imagebuild.build_context(folder, raw, common, arguments={"PAUSE": pause})
    archive = _save(folder, images, "containerd")
    name = f"localregistry-build-{digest.digest(raw)}"
    shell.succeeds(["docker", "rm", "--force", name])
    try:
        engine.docker(
            *("run", "--privileged", "--name", name, "--network", "none"),
            *("--volume", f"{archive}:/images.tar:ro"),
            *("--volume", f"{HERE / 'node/build/import-images'}:/import-images:ro"),
            *("--entrypoint", "/import-images", raw, pause),
            timeout=300,
        )
        entrypoint = 'ENTRYPOINT ["/kind/entrypoint"]'
        engine.docker(
            *("commit", "--change", entrypoint, "--change", "CMD []", name, wanted.containerd),
            timeout=300,
        )
    finally:
        shell.succeeds(["docker", "rm", "--force", "--volumes", name], timeout=60)
    engine.docker("rmi", raw)


def _docker(
    settings: Settings,
    folder: Path,
    common: str,
    wanted: Images,
    pause: str,
    images: list[PodImage],
) -> None:
    _copy(folder, ("node/docker", "node/build/prune", "scripts"))
    _binaries(settings, folder / "bin", ("cri-dockerd",))
    _save(folder, images, "docker")
    shutil.copy(HERE / "node/build/docker.Dockerfile", folder / "Dockerfile")
    imagebuild.build_context(folder, wanted.docker, common, arguments={"PAUSE": pause})
