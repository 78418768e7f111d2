"""Run crane in a container on the cluster's network that is no cluster node.

It stands for a laptop or a CI job: it knows the registry's name only as DNS would tell it, as the
address of the node where the ingress controller listens.
"""

from kind import engine, nodeimages, shell
from kind.settings import NETWORK, OUR_LABEL, Settings


def run(settings: Settings, argv: list[str], *, hosts: list[str], mounts: list[str]) -> int:
    """Run crane with ``argv`` and return its exit code.

    Each of ``hosts`` resolves to the control plane's address. ``mounts`` are SOURCE:TARGET, read
    only.
    """
    image = nodeimages.ensure_client(settings)
    address = node_address(settings)
    command = ["docker", "run", "--rm", "--network", NETWORK]
    command += ["--label", f"{OUR_LABEL}={settings.cluster}"]
    for host in hosts:
        command += ["--add-host", f"{host}:{address}"]
    for mount in mounts:
        command += ["--volume", f"{mount}:ro"]
    return shell.attached([*command, image, *argv], timeout=600)


def node_address(settings: Settings) -> str:
    """Address of the control plane on the cluster's network."""
    template = f'{{{{(index .NetworkSettings.Networks "{NETWORK}").IPAddress}}}}'
    found = engine.docker("inspect", "--format", template, settings.control_plane, timeout=30)
    return found.strip()
