"""Put engine images into every node, skipping nodes that have them already."""

import concurrent.futures
import contextlib
import json
import subprocess
import tempfile
from pathlib import Path

from kind import engine, progress, shell
from kind.settings import KIND_LABEL, Settings


def load(settings: Settings, refs: list[str]) -> None:
    """Load images into all nodes at once.

    Raises Failed for an image that the engine does not hold, or a node that takes none.
    """
    names = nodes(settings)
    if not names:
        raise shell.Failed("no cluster runs; the `up` command makes one")
    report = progress.Progress(1)
    ids = {ref: _image_id(ref) for ref in refs}
    lacking = {node: [ref for ref in refs if not _has(node, ref, ids[ref])] for node in names}
    todo = sorted({ref for missing in lacking.values() for ref in missing})
    if not todo:
        report.cached(" ".join(refs))
        return
    with report.step(" ".join(todo), f"loading into {sum(map(bool, lacking.values()))} nodes"):
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "images.tar"
            engine.docker("save", "--output", archive, *todo, timeout=300)
            behind = [node for node, missing in lacking.items() if missing]
            with concurrent.futures.ThreadPoolExecutor(len(behind)) as pool:
                list(pool.map(lambda node: _import(node, archive, lacking[node]), behind))
        for node in behind:
            for ref in lacking[node]:
                if not _has(node, ref, ids[ref]):
                    raise shell.Failed(f"{node} took {ref} without an error but does not have it")


def nodes(settings: Settings) -> list[str]:
    """Names of the cluster's running node containers."""
    label = f"label={KIND_LABEL}={settings.cluster}"
    listed = engine.docker("ps", "--filter", label, "--format", "{{.Names}}", timeout=30)
    return sorted(listed.split())


def _image_id(ref: str) -> str:
    return engine.docker("image", "inspect", "--format", "{{.Id}}", ref, timeout=30).strip()


def runs_docker(node: str) -> bool:
    """Tell whether a node's runtime is Docker."""
    return shell.succeeds(["docker", "exec", node, "test", "-S", "/run/cri-dockerd.sock"])


def _has(node: str, ref: str, image_id: str) -> bool:
    """Tell whether a node holds exactly this image under this name.

    An image's ID is the digest of its config: containerd's manifest says it.
    """
    try:
        if runs_docker(node):
            argv = ("docker", "image", "inspect", "--format", "{{.Id}}", ref)
            return engine.docker("exec", node, *argv, timeout=30).strip() == image_id
        listed = _ctr(node, "images", "list", f"name=={canonical(ref)}").splitlines()[1:]
        return bool(listed) and config_of(_ctr(node, "content", "get", listed[0].split()[2])) == (
            image_id
        )
    except shell.Failed:
        return False


def config_of(manifest: str) -> str | None:
    """Digest of the config that an image manifest names; None for an index."""
    config = json.loads(manifest).get("config") or {}
    digest = config.get("digest")
    return digest if isinstance(digest, str) else None


def _ctr(node: str, *argv: str) -> str:
    return engine.docker("exec", node, "ctr", "--namespace", "k8s.io", *argv, timeout=60)


def canonical(ref: str) -> str:
    """Return a reference in the full form that containerd uses.

    >>> canonical("registry:3.1.1")
    'docker.io/library/registry:3.1.1'
    """
    first, _, rest = ref.partition("/")
    if not rest:
        name = f"docker.io/library/{ref}"
    elif "." in first or ":" in first or first == "localhost":
        name = ref
    else:
        name = f"docker.io/{ref}"
    last = name.rsplit("/", 1)[1]
    return name if ":" in last or "@" in last else f"{name}:latest"


def _import(node: str, archive: Path, refs: list[str]) -> None:
    if runs_docker(node):
        command = ["docker", "load", "--quiet"]
    else:
        for ref in refs:
            # The CRI plugin takes note of a new name, not of a known name with new content.
            with contextlib.suppress(shell.Failed):
                _ctr(node, "images", "remove", "--sync", canonical(ref))
        command = ["ctr", "--namespace", "k8s.io", "images", "import", "-"]
    with archive.open("rb") as stream:
        done = subprocess.run(
            ["docker", "exec", "--interactive", node, *command],
            stdin=stream,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    if done.returncode != 0:
        raise shell.Failed(f"{node} did not take the images: {done.stderr.strip()}")
