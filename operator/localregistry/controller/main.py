"""`localregistry run`: options, logging, and the event loop around `process.run`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from localregistry.resources.config import OperatorConfig
from localregistry.spec.policy import HostPolicy, InvalidPolicy
from localregistry.spec.quantity import parse_quantity
from localregistry.trust import AGENT_PORT

PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def main(argv: list[str]) -> int:
    """Runs the operator until SIGTERM; 1 where the process should be started anew."""
    options = parse(argv, os.environ)
    logging.basicConfig(
        stream=sys.stderr,
        level=options.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    from localregistry.controller import process
    from localregistry.controller.settings import Settings

    settings = Settings(
        config=OperatorConfig(
            namespace=options.namespace,
            registry_image=options.registry_image,
            agent_image=options.agent_image,
            image_pull_policy=options.image_pull_policy,
            image_pull_secrets=tuple(options.image_pull_secrets),
            agent_privileged=options.agent_privileged,
            agent_resources=options.agent_resources,
            host_policy=options.host_policy,
            hosting=options.local_registry_hosting,
            hosting_help=options.local_registry_hosting_help,
        ),
        identity=options.identity,
        health_port=options.health_port,
        agent_port=options.agent_port,
        registry_port=options.registry_port,
        usage_port=options.usage_port,
        usage_seconds=options.usage_seconds,
        resync_seconds=options.resync_seconds,
    )
    asyncio.run(process.run(settings))
    return 0


def parse(argv: list[str], environ: Mapping[str, str]) -> argparse.Namespace:
    """Options win over the environment, which wins over the defaults."""
    default = OperatorConfig()
    parser = argparse.ArgumentParser(
        prog="localregistry run",
        description="Runs the operator: reconciles LocalRegistries and keeps the nodes' trust.",
    )

    def option(flag: str, variable: str, fallback: str, text: str) -> None:
        parser.add_argument(
            flag, default=environ.get(variable) or fallback, help=f"{text} [${variable}]"
        )

    option("--namespace", "POD_NAMESPACE", default.namespace, "the operator's own namespace")
    option("--identity", "POD_NAME", socket.gethostname(), "this process, in Lease and Events")
    option("--registry-image", "REGISTRY_IMAGE", default.registry_image, "the registry's image")
    option("--agent-image", "AGENT_IMAGE", default.agent_image, "the node agent's image")
    option(
        "--image-pull-policy", "AGENT_PULL_POLICY", default.image_pull_policy, "the agent image's"
    )
    option("--log-level", "LOG_LEVEL", "info", "debug, info, warning or error")
    parser.add_argument(
        "--image-pull-secrets",
        type=_words,
        default=_words(environ.get("AGENT_PULL_SECRETS", "")),
        help="Secrets for the agent's image, separated by commas [$AGENT_PULL_SECRETS]",
    )
    parser.add_argument(
        "--agent-privileged",
        type=truth,
        # As text: argparse converts it, and so names the option where it cannot.
        default=environ.get("AGENT_PRIVILEGED") or "true",
        help="false: the least privileges that work instead of privileged [$AGENT_PRIVILEGED]",
    )
    parser.add_argument(
        "--agent-resources",
        type=_resources,
        default=environ.get("AGENT_RESOURCES") or json.dumps(default.agent_resources),
        help="requests and limits of the node agent, as JSON [$AGENT_RESOURCES]",
    )
    parser.add_argument(
        "--host-policy",
        type=_policy,
        default=environ.get("HOST_POLICY") or "[]",
        help="which namespaces may declare which hosts, as JSON or @FILE [$HOST_POLICY]",
    )
    parser.add_argument(
        "--local-registry-hosting",
        type=truth,
        default=environ.get("LOCAL_REGISTRY_HOSTING") or "false",
        help="true: name the LocalRegistry that is annotated for it to tools, in the ConfigMap"
        " kube-public/local-registry-hosting [$LOCAL_REGISTRY_HOSTING]",
    )
    option(
        "--local-registry-hosting-help",
        "LOCAL_REGISTRY_HOSTING_HELP",
        default.hosting_help,
        "address of a page that those tools show where a push fails",
    )
    parser.add_argument(
        "--health-port",
        type=int,
        default=environ.get("HEALTH_PORT") or "8080",
        help="serves /healthz and /readyz [$HEALTH_PORT]",
    )
    parser.add_argument(
        "--resync-seconds",
        type=_seconds,
        default=environ.get("RESYNC_SECONDS") or "600",
        help="how often all is looked at unasked, in case an event was lost [$RESYNC_SECONDS]",
    )
    # For tests without a pod network, where agents and registries share loopback's ports.
    parser.add_argument("--agent-port", type=int, default=AGENT_PORT, help=argparse.SUPPRESS)
    parser.add_argument("--registry-port", type=int, default=80, help=argparse.SUPPRESS)
    parser.add_argument("--usage-port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--usage-seconds", type=_seconds, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.image_pull_policy not in PULL_POLICIES:
        choices = ", ".join(PULL_POLICIES)
        parser.error(f"--image-pull-policy {options.image_pull_policy}: choose one of {choices}")
    if options.log_level.upper() not in logging.getLevelNamesMapping():
        parser.error(f"--log-level {options.log_level}: choose debug, info, warning or error")
    return options


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _seconds(text: str) -> float:
    seconds = float(text) if text.replace(".", "", 1).isdecimal() else 0.0
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 on")
    return seconds


def _resources(text: str) -> dict[str, dict[str, str]]:
    """`{"requests": {"cpu": "5m"}, "limits": {…}}`; refused here, for the API server would refuse
    the whole DaemonSet."""
    try:
        given = json.loads(text)
        unknown = given.keys() - {"requests", "limits"}
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))}: only requests and limits are known")
        read = {
            kind: {name: str(amount) for name, amount in amounts.items()}
            for kind, amounts in given.items()
            if amounts
        }
        for amounts in read.values():
            for amount in amounts.values():
                parse_quantity(amount)
        return read
    except AttributeError:
        raise argparse.ArgumentTypeError(f"{text!r} is no table of requests and limits") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def _policy(text: str) -> HostPolicy:
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        return HostPolicy.parse(text)
    except (OSError, UnicodeDecodeError, InvalidPolicy) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def truth(text: str) -> bool:
    """`true`, `1`, `yes` and their opposites; ArgumentTypeError for all else."""
    match text.strip().lower():
        case "true" | "1" | "yes":
            return True
        case "false" | "0" | "no":
            return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
