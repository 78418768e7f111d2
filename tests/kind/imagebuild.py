"""Build pod images with the engine, each once per key."""

import shutil
import tarfile
import tempfile
from pathlib import Path

from kind import build, debian, engine, gotools, progress, shell, toolchain
from kind.podimages import PodImage
from kind.settings import Settings

REPOSITORY = "localregistry.dev/kind"


def present(tag: str) -> bool:
    """Tell whether the engine holds an image."""
    return shell.succeeds(["docker", "image", "inspect", "--format", "{{.Id}}", tag])


def root_tag(root: debian.Root) -> str:
    """Tag of an imported root file system."""
    return f"{REPOSITORY}/root-{root.name}:{root.key}"


def root_image(settings: Settings, root: debian.Root, report: progress.Progress) -> str:
    """Import a Debian root file system; return its tag."""
    tag = root_tag(root)
    if not present(tag):
        tar = debian.ensure(settings, root, report)
        engine.docker("import", tar, tag, timeout=300)
    return tag


def keyed_tag(image: PodImage, key: str) -> str:
    """Tag under which an image is kept, whatever its public reference points to."""
    name = image.ref.rsplit("/", 1)[1].split(":")[0]
    return f"{REPOSITORY}/{image.apart}{name}:{key}"


def ensure(
    settings: Settings,
    image: PodImage,
    tags: dict[str, str],
    report: progress.Progress,
) -> None:
    """Make an image and give it its public reference.

    ``tags`` maps each base and each reference to its keyed tag, this image's own included.
    """
    tag = tags[image.ref]
    if present(tag):
        report.cached(image.ref)
    else:
        with (
            report.step(image.ref, "building", seconds=image.seconds),
            tempfile.TemporaryDirectory(dir=scratch(settings)) as folder,
        ):
            _fill(settings, image, Path(folder))
            base = tags[image.base] if image.base and "ARG BASE" in image.dockerfile else None
            build_context(Path(folder), tag, base)
    engine.docker("tag", tag, image.ref)


def build_context(
    folder: Path, tag: str, base: str | None, *, arguments: dict[str, str] | None = None
) -> None:
    """Build a folder that holds a Dockerfile.

    On the machine's network, for the packages that a RUN line installs; with the builder that
    every engine has, since BuildKit's client is a plugin that many machines lack.
    """
    argv: list[str | Path] = ["docker", "build", "--quiet", "--network", "host", "--tag", tag]
    given = {**({"BASE": base} if base else {}), **(arguments or {})}
    for name, value in given.items():
        argv += ["--build-arg", f"{name}={value}"]
    shell.run([*argv, folder], timeout=900, env=builder_environment())


def builder_environment() -> dict[str, str]:
    """Choose the legacy builder where the BuildKit plugin is missing."""
    if shell.succeeds(["docker", "buildx", "version"]):
        return {}
    return {"DOCKER_BUILDKIT": "0"}


def scratch(settings: Settings) -> Path:
    """Folder for build contexts, on the disk that holds the cache and not in a small /tmp."""
    folder = settings.cache / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _fill(settings: Settings, image: PodImage, folder: Path) -> None:
    if image.files:
        shutil.copytree(image.files, folder, dirs_exist_ok=True)
    (folder / "Dockerfile").write_text(image.dockerfile)
    if image.tool:
        shutil.copy(build.keyed(settings, gotools.of(settings)[image.tool]), folder / image.tool)
    if "catatonit" in image.dockerfile and image.base == "slim":
        _extract(settings, "usr/bin/catatonit", folder / "catatonit")
    if image.tool == "nginx-ingress-controller":
        shutil.copytree(_module_files(settings), folder / "nginx")


def _extract(settings: Settings, member: str, target: Path) -> None:
    """Take one file out of the slim root file system."""
    root = settings.cache / "rootfs" / f"{debian.SLIM.name}-{debian.SLIM.key}.tar"
    with tarfile.open(root) as archive:
        for name in (f"./{member}", member):
            try:
                source = archive.extractfile(name)
            except KeyError:
                continue
            if source:
                target.write_bytes(source.read())
                target.chmod(0o755)
                return
    raise shell.Failed(f"{root} holds no {member}")


def _module_files(settings: Settings) -> Path:
    """Folder of the controller's own nginx files, in the Go module cache."""
    module = Path(gotools.of(settings)["nginx-ingress-controller"].module_dir)
    go = toolchain.go(settings)
    shell.run([go, "mod", "download", "k8s.io/ingress-nginx"], cwd=module, timeout=300)
    folder = shell.run(
        [go, "list", "-m", "-f", "{{.Dir}}", "k8s.io/ingress-nginx"], cwd=module, timeout=60
    ).strip()
    return Path(folder) / "rootfs" / "etc" / "nginx"
