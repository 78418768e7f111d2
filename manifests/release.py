"""Builds and checks all that a release consists of but the images, into dist/; publishes nothing.

    python3 manifests/release.py [--helm PATH] [--revision HEAD] [--output dist]

It builds from what is committed: the source distribution and the wheel made of it, the chart, the
plain manifests, a bill of materials of each image's Python packages, and SHA256SUMS. The date of
the commit is that of every file, so a second run makes the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

# Run as a file: its neighbours are found by their package's name.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from manifests import archives, generate, plain
from manifests.image.requirements import requirements

ROOT = Path(__file__).resolve().parent.parent
SUMS = "SHA256SUMS"
PLAIN = ("install.yaml", "uninstall.yaml", "clean-nodes.yaml")
# What each image's bill must name, and what it must not.
MATERIALS = {
    "operator": ({"kopf", "kubernetes", "aiohttp"}, {"pip", "pytest"}),
    "agent": ({"h2"}, {"kopf", "kubernetes", "aiohttp", "pip"}),
}


class Unfit(Exception):
    """Something of the release is not as it should be; the message says what."""


def run(*command: str | Path, cwd: Path = ROOT, epoch: int = 0) -> str:
    """Standard output; Unfit with the command's own words where it fails."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PYTHONPATH": ""}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unfit(f"{command[0]} {command[1]} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def python(folder: Path, *packages: str | Path, options: tuple[str, ...] = ()) -> Path:
    """An interpreter that has these packages and nothing else, pip neither."""
    venv.create(folder, with_pip=False, clear=True)
    found = folder / "bin/python"
    pip(found, *options, *packages)
    return found


def pip(interpreter: Path, *arguments: str | Path) -> None:
    """Most of what is installed is never imported: nothing is compiled."""
    own = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*own, "--python", interpreter, "install", "--quiet", "--no-compile", *arguments)


def exported(revision: str, target: Path) -> Path:
    """The tree as it is committed."""
    archive = target / "source.tar"
    run("git", "archive", "--format=tar", f"--output={archive}", revision)
    with tarfile.open(archive) as tree:
        tree.extractall(target / "source", filter="data")
    return target / "source"


def package(source: Path, tools: Path, dist: Path, epoch: int) -> Path:
    """The source distribution, and the wheel, built from it; returns the wheel."""
    run(tools, "-m", "build", "--outdir", dist, cwd=source, epoch=epoch)
    [sdist], [wheel] = dist.glob("*.tar.gz"), dist.glob("*.whl")
    archives.settle(sdist, epoch)
    run(tools, "-m", "twine", "check", "--strict", sdist, wheel)
    return wheel


def chart(source: Path, helm: Path, dist: Path, epoch: int) -> None:
    """The chart's package; what it installs is what the plain manifests say."""
    before = set(dist.glob("*.tgz"))
    folder = source / "manifests/chart"
    run(helm, "lint", folder, "--strict")
    run(helm, "package", folder, "--destination", dist)
    [made] = set(dist.glob("*.tgz")) - before
    archives.settle(made, epoch)
    rendered = generate.helm_template(str(helm), made)
    files = plain.files(rendered, generate.digest(folder))
    for name in PLAIN:
        if (source / "manifests" / name).read_text() != files[name]:
            raise Unfit(f"manifests/{name} is not what the chart installs: run `make manifests`")
        shutil.copy(source / "manifests" / name, dist / name)
    shutil.copy(source / "crds/localregistries.yaml", dist / "crd.yaml")


def materials(source: Path, tools: Path, wheel: Path, dist: Path, work: Path) -> None:
    """A CycloneDX bill for each image: the packages of its virtualenv, with their licences."""
    for image, (wanted, unwanted) in MATERIALS.items():
        found = python(work / image, wheel, options=("--no-deps",))
        needed = requirements((source / "pyproject.toml").read_text(), image)
        pip(found, *needed)
        bill = dist / f"sbom-{image}.cdx.json"
        bom = (tools, "-m", "cyclonedx_py", "environment", "--output-reproducible")
        about = ("--pyproject", source / "pyproject.toml", "--mc-type", "application")
        run(*bom, *about, "--of", "JSON", "-o", bill, found)
        told = json.loads(bill.read_text())
        # pyproject.toml takes the version from the source, which the tool does not read.
        version = generate.version_of((source / "operator/localregistry/version.py").read_text())
        told["metadata"]["component"]["version"] = version
        bill.write_text(json.dumps(told, indent=2) + "\n")
        names = {item["name"].lower() for item in told["components"]}
        if wanted - names or unwanted & names:
            raise Unfit(f"{bill.name} names {sorted(names)}")
    # The wheel is what it says, and does what needs no cluster.
    sample = source / "manifests/samples/minimal.yaml"
    said = run(
        work / "operator/bin/python", "-I", "-m", "localregistry.cli", "render", "-f", sample
    )
    if "kind: Ingress" not in said:
        raise Unfit("the wheel does not render a LocalRegistry")


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--helm", default=os.environ.get("HELM", "helm"), help="the helm program")
    parser.add_argument("--revision", default="HEAD", help="which commit (default: HEAD)")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="emptied first")
    options = parser.parse_args()
    dist: Path = options.output.absolute()
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    helm = shutil.which(options.helm)
    try:
        if helm is None:
            raise Unfit(f"{options.helm} was not found: install Helm, or pass --helm PATH")
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            epoch = int(run("git", "log", "-1", "--format=%ct", options.revision))
            source = exported(options.revision, work)
            needed = requirements((source / "pyproject.toml").read_text(), "release")
            tools = python(work / "tools", *needed)
            wheel = package(source, tools, dist, epoch)
            chart(source, Path(helm), dist, epoch)
            materials(source, tools, wheel, dist, work)
    except (Unfit, generate.CannotGenerate) as error:
        print(f"release.py: {error}", file=sys.stderr)
        return 1
    (dist / SUMS).write_text(archives.checksums(dist, SUMS))
    print((dist / SUMS).read_text(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
