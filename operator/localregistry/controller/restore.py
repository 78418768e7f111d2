"""`localregistry restore`: options, and what is said where it does not work."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Mapping

from localregistry.controller.main import truth
from localregistry.resources.config import OperatorConfig
from localregistry.trust import AGENT_PORT

EXAMPLES = """\
examples:
  kubectl apply -f manifests/uninstall.yaml     # as a Job, with the rights that it needs
  localregistry restore --seconds 300           # from here, as the cluster's administrator
  localregistry restore --force                 # without the nodes that do not answer"""
# An API server that is away is waited for this long; a Job of Helm's has 5 minutes in all.
AWAY_SECONDS = 60.0
AGAIN_SECONDS = 2.0


def main(argv: list[str]) -> int:
    """0 where everything is undone; 1 where something is in the way, which is said."""
    options = parse(argv, os.environ)
    logging.basicConfig(stream=sys.stderr, level="WARNING", format="%(levelname)s %(message)s")
    from localregistry.controller.errors import NoCluster

    try:
        return asyncio.run(restore(options))
    except NoCluster as error:
        return _fail(
            f"No cluster is configured: {error}\n"
            "  Name one by $KUBECONFIG, or run it as the Job of manifests/uninstall.yaml."
        )


def parse(argv: list[str], environ: Mapping[str, str]) -> argparse.Namespace:
    """Options win over the environment, which wins over the defaults."""
    parser = argparse.ArgumentParser(
        prog="localregistry restore",
        description=(
            "Stops the operator, has every node undo what was done for LocalRegistries, and"
            " removes the agents and the finalizers. LocalRegistries, their registries and images"
            " stay. It may be run again at any time."
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--namespace",
        default=environ.get("POD_NAMESPACE") or OperatorConfig().namespace,
        help="the operator's own namespace [$POD_NAMESPACE]",
    )
    parser.add_argument(
        "--operator",
        default=environ.get("OPERATOR_NAME") or "localregistry",
        help="the name of the operator's Deployment [$OPERATOR_NAME]",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=environ.get("RESTORE_SECONDS") or "120",
        help="how long nodes that are Ready get to confirm [$RESTORE_SECONDS]",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="go on without the nodes that did not; manifests/clean-nodes.yaml cleans them",
    )
    parser.add_argument(
        "--local-registry-hosting",
        type=truth,
        default=environ.get("LOCAL_REGISTRY_HOSTING") or "false",
        help="true: the operator was told so too; its ConfigMap kube-public/local-registry-hosting"
        " goes [$LOCAL_REGISTRY_HOSTING]",
    )
    parser.add_argument("--acquire-seconds", type=_seconds, help=argparse.SUPPRESS)
    # For tests without a pod network, where agents share loopback's ports.
    parser.add_argument("--agent-port", type=int, default=AGENT_PORT, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


async def restore(options: argparse.Namespace) -> int:
    """Runs it, once more where the API server was away for a moment."""
    import aiohttp

    from localregistry.controller import kube, leaving
    from localregistry.controller.errors import ApiError

    wanted = leaving.Options(
        namespace=options.namespace,
        operator=options.operator,
        identity=f"restore-{socket.gethostname()}-{os.getpid()}",
        seconds=options.seconds,
        force=options.force,
        hosting=options.local_registry_hosting,
        agent_port=options.agent_port,
        acquire_seconds=options.acquire_seconds or leaving.ACQUIRE_SECONDS,
    )
    deadline = time.monotonic() + AWAY_SECONDS
    async with kube.connect() as api, aiohttp.ClientSession() as session:
        while True:
            try:
                await leaving.Leaving(api, session, wanted, say=_say).run()
            except leaving.CannotLeave as error:
                return _fail(str(error))
            except ApiError as error:
                if not error.unreachable or time.monotonic() > deadline:
                    return _fail(f"{error}. Run this again once that is mended")
                _say(f"Waiting for the API server: {error}")
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                _say("Done: nothing of this operator is on any node that was waited for")
                return 0


def _seconds(text: str) -> float:
    seconds = float(text) if text.replace(".", "", 1).isdecimal() else 0.0
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def _say(line: str) -> None:
    print(line, flush=True)


def _fail(line: str) -> int:
    print(f"localregistry restore: {line}", file=sys.stderr, flush=True)
    return 1
