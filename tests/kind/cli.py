"""The command line: one function per command, imported only when it runs."""

import argparse
import shlex
import sys
from collections.abc import Sequence

from kind import settings as configuration
from kind import shell


def _tools(options: argparse.Namespace, settings: configuration.Settings) -> int:
    from kind import build

    print(build.ensure(settings, options.names))
    return 0


def _versions(options: argparse.Namespace, settings: configuration.Settings) -> int:
    print(*map(configuration.minor, configuration.OTHERS))
    return 0


def _up(options: argparse.Namespace, settings: configuration.Settings) -> int:
    from kind import cluster

    cluster.up(settings)
    return 0


def _down(options: argparse.Namespace, settings: configuration.Settings) -> int:
    from kind import cluster

    cluster.down(settings, keep_engine=options.keep_engine)
    return 0


def _load(options: argparse.Namespace, settings: configuration.Settings) -> int:
    from kind import load

    load.load(settings, options.images)
    return 0


def _client(options: argparse.Namespace, settings: configuration.Settings) -> int:
    from kind import client

    return client.run(settings, options.arguments, hosts=options.host, mounts=options.mount)


def _traefik(options: argparse.Namespace, settings: configuration.Settings) -> int:
    from kind import traefik

    if options.remove:
        traefik.down(settings)
    else:
        traefik.up(settings)
    return 0


def _base_image(options: argparse.Namespace, settings: configuration.Settings) -> int:
    from kind import baseimage

    print(baseimage.ensure(settings))
    return 0


def _env(options: argparse.Namespace, settings: configuration.Settings) -> int:
    from kind import engine

    print(f"export KUBECONFIG={shlex.quote(str(settings.kubeconfig))}")
    print(f'export PATH={shlex.quote(str(settings.bin))}:"$PATH"')
    print(f"export DOCKER_HOST={shlex.quote(engine.host())}")
    return 0


def parser() -> argparse.ArgumentParser:
    """Build the argument parser; every command has its own --help."""
    top = argparse.ArgumentParser(
        prog="python3 -m kind", description="A real Kubernetes cluster on one machine."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    tools = commands.add_parser(
        "tools",
        help="build the named binaries (all, if none is named); prints their directory",
        description="Build binaries into the cache. The last line of standard output is the "
        "directory that holds them. Versions stand in tests/kind/go/*/go.mod.",
    )
    tools.add_argument("names", nargs="*", metavar="NAME")
    tools.set_defaults(act=_tools)

    up = commands.add_parser(
        "up",
        help="make the cluster, or find it running",
        description="Three nodes: a control plane and a worker on containerd, a worker on Docker. "
        "Cold caches: about 20 minutes on two cores; warm: about a minute; running: seconds.",
    )
    up.set_defaults(act=_up)

    down = commands.add_parser(
        "down",
        help="delete the cluster, and stop the engine if we started it",
        description="Leaves no container, network or mount of ours; the cache stays.",
    )
    down.add_argument("--keep-engine", action="store_true", help="let our engine run on")
    down.set_defaults(act=_down)

    load = commands.add_parser(
        "load",
        help="put images of the engine into every node",
        description="Copies images into each node's runtime; nodes that have them are skipped.",
    )
    load.add_argument("images", nargs="+", metavar="IMAGE")
    load.set_defaults(act=_load)

    client = commands.add_parser(
        "client",
        help="run crane on the cluster's network, outside its nodes",
        description="Runs crane in a throw-away container, as a laptop or a CI job would. "
        "Example: client --host registry.example.internal --mount $PWD/app.tar:/app.tar "
        "push --insecure /app.tar registry.example.internal/app:1",
    )
    client.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="name that resolves to the node of the ingress controller (repeatable)",
    )
    client.add_argument(
        "--mount",
        action="append",
        default=[],
        metavar="SOURCE:TARGET",
        help="file or folder to show to crane, read only (repeatable)",
    )
    client.add_argument("arguments", nargs=argparse.REMAINDER, metavar="CRANE_ARGUMENT")
    client.set_defaults(act=_client)

    traefik = commands.add_parser(
        "traefik",
        help="run Traefik beside the cluster's own Ingress controller",
        description="On ports 80 and 443 of a worker, for Ingresses of the class traefik, whose "
        "annotations it reads as ingress-nginx would. About three minutes where it must be built.",
    )
    traefik.add_argument("--remove", action="store_true", help="take it away again")
    traefik.set_defaults(act=_traefik)

    base = commands.add_parser(
        "base-image",
        help="make sure that the Dockerfile's base image is in the engine",
        description="Present, else pulled, else made from Debian packages; prints its name.",
    )
    base.set_defaults(act=_base_image)

    versions = commands.add_parser(
        "versions",
        help="print the versions of Kubernetes beside the default one",
        description="Each is a value of the variable KUBERNETES, which chooses what the other "
        "commands build and run.",
    )
    versions.set_defaults(act=_versions)

    env = commands.add_parser(
        "env",
        help="print the environment for a shell",
        description='Use it as: eval "$(python3 -m kind env)"',
    )
    env.set_defaults(act=_env)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a failure is one message on standard error and exit code 1."""
    options = parser().parse_args(argv)
    try:
        code: int = options.act(options, configuration.from_environment())
    except shell.Failed as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code
