"""What the controller tells the node agents, and what they answer.

The controller writes one document, `trust.json`, into the ConfigMap `node-trust`; every agent
mounts it. Beside it each agent's own pod carries a `Task` in an annotation, the per-node channel.
Agents answer on `GET /status` with a `Report`. Both sides import this module and nothing else of
each other, so a change here is a change of the protocol: keep `FORMAT` and read leniently.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

FORMAT = 1
DOCUMENT_KEY = "trust.json"
TASK_ANNOTATION = "localregistry.dev/node-task"
# Means nothing to an agent: a change of it makes the kubelet look at the pod's volumes once more.
NUDGE_ANNOTATION = "localregistry.dev/nudged-at"
AGENT_PORT = 9808

# etcd refuses objects of 1.5 MiB and ConfigMaps end at 1 MiB; 900 KB leaves room for metadata
# and for what other field managers add.
MAX_DOCUMENT_BYTES = 900_000


class Damaged(ValueError):
    """A document that cannot be understood: it changes nothing on any node."""


class NodeReason(StrEnum):
    """The result of one registry on one node."""

    CONFIGURED = "Configured"  # the node has pulled the probe image
    PENDING = "Pending"  # not worked through yet
    UNSUPPORTED = "Unsupported"  # a runtime, store or file that is left alone; the message says why
    CONFIG_PATH_MISSING = "ConfigPathMissing"  # containerd reads no registry directory
    FLAG_CONFLICT = "FlagConflict"  # dockerd has a flag that rules out the same key in its file
    FOREIGN_CONFIG_INVALID = "ForeignConfigInvalid"  # the runtime would refuse its file as it is
    RELOAD_BLOCKED = "ReloadBlocked"  # a signal would harm this dockerd
    ROLLED_BACK = "RolledBack"  # the daemon did not take the change
    CONTENDED = "Contended"  # somebody else has the name, or undoes ours
    PULL_FAILED = "PullFailed"  # configured, but the probe image cannot be pulled


@dataclass(frozen=True)
class Probe:
    """The image whose pull proves a node: reference, and the two digests it may be known by.

    `config` is its image ID where the store keeps configs (docker, containerd's CRI), `manifest`
    where it keeps manifests (docker's containerd store). An agent removes an image only when its
    ID is one of the two.
    """

    image: str
    config: str
    manifest: str


@dataclass(frozen=True)
class TrustedRegistry:
    """One registry that nodes shall trust.

    `names` are `host[:port]` as they stand in image references; `address` and `port` are those of
    the Service, reachable from every node. `dns`: the node resolves the names itself and goes to
    whatever answers there. `preview`: nodes report what they would change, and change nothing.
    """

    uid: str
    owner: str
    names: tuple[str, ...]
    address: str
    port: int
    probe: Probe
    dns: bool = False
    preview: bool = False

    def endpoint(self, name: str) -> str:
        """Where a node finds `name`: `http://name`, or `http://address[:port]` of the Service with
        brackets around an IPv6 address."""
        if self.dns:
            return f"http://{name}"
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{address}" if self.port == 80 else f"http://{address}:{self.port}"

    def digest(self) -> str:
        """A fingerprint: a node's proof holds as long as this does not change."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return _fingerprint(_registry_to_json(self))


@dataclass(frozen=True)
class TrustDocument:
    """All that nodes shall trust. No registries is a valid document, and withdraws everything."""

    registries: tuple[TrustedRegistry, ...] = ()

    @cached_property
    def revision(self) -> str:
        """Derived from the content, so that the same content never looks like news."""
        return _fingerprint([_registry_to_json(r) for r in self._sorted()])

    @cached_property
    def by_uid(self) -> Mapping[str, TrustedRegistry]:
        return {registry.uid: registry for registry in self.registries}

    def to_json(self) -> str:
        body = {
            "format": FORMAT,
            "revision": self.revision,
            "registries": [_registry_to_json(r) for r in self._sorted()],
        }
        return json.dumps(body, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> TrustDocument:
        """Raises Damaged where the text is not exactly what `to_json` wrote, revision included."""
        try:
            body = json.loads(text)
            if body["format"] != FORMAT:
                raise Damaged(f"format {body['format']!r} is not {FORMAT}")
            document = cls(tuple(_registry_from_json(item) for item in body["registries"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Damaged(f"trust document: {error!r}") from error
        if document.revision != body.get("revision"):
            raise Damaged("trust document: the revision does not fit the content")
        return document

    def _sorted(self) -> list[TrustedRegistry]:
        return sorted(self.registries, key=lambda registry: registry.uid)


@dataclass(frozen=True)
class Task:
    """The per-node channel, one annotation of the agent's own pod.

    An agent acts when `revision` equals that of its `trust.json`: the two volumes arrive in either
    order. `runtime` is the node's `nodeInfo.containerRuntimeVersion`; `excluded` are the UIDs of
    registries whose node selector leaves this node out.
    """

    revision: str
    runtime: str
    excluded: tuple[str, ...] = ()

    def to_json(self) -> str:
        body = {
            "revision": self.revision,
            "runtime": self.runtime,
            "excluded": sorted(self.excluded),
        }
        return json.dumps(body, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Task:
        try:
            body = json.loads(text)
            excluded = tuple(str(uid) for uid in body.get("excluded", ()))
            return cls(str(body["revision"]), str(body["runtime"]), excluded)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Damaged(f"task: {error!r}") from error


@dataclass(frozen=True)
class NodeResult:
    """Why a registry is not (yet) proved on a node, in a sentence for its administrator."""

    reason: NodeReason
    message: str = ""


@dataclass(frozen=True)
class Report:
    """What an agent answers: the revision it has worked through, and the exceptions to success.

    A registry of that revision that is not among the exceptions is configured and was pulled from.
    A UID that is among them but no longer in the document could not be withdrawn yet. `excluded`
    are those of the task that was worked through: they are neither configured nor proved here.
    `previews` has, for each registry that is only looked at, the lines of what would be done.
    """

    revision: str
    runtime: str = ""
    exceptions: Mapping[str, NodeResult] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    previews: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_json(self) -> str:
        body = {
            "format": FORMAT,
            "revision": self.revision,
            "runtime": self.runtime,
            "exceptions": {
                uid: {"reason": result.reason.value, "message": result.message}
                for uid, result in sorted(self.exceptions.items())
            },
            "excluded": sorted(self.excluded),
            "previews": {uid: list(lines) for uid, lines in sorted(self.previews.items())},
        }
        return json.dumps(body, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        try:
            body = json.loads(text)
            exceptions = {
                str(uid): _result(str(item["reason"]), str(item.get("message", "")))
                for uid, item in body["exceptions"].items()
            }
            return cls(
                str(body["revision"]),
                str(body.get("runtime", "")),
                exceptions,
                excluded=tuple(str(uid) for uid in body.get("excluded", ())),
                previews={
                    str(uid): tuple(str(line) for line in lines)
                    for uid, lines in body.get("previews", {}).items()
                },
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Damaged(f"report: {error!r}") from error


def _result(reason: str, message: str) -> NodeResult:
    try:
        return NodeResult(NodeReason(reason), message)
    except ValueError:
        # Of a newer agent, while an upgrade is under way: a failure all the same.
        return NodeResult(NodeReason.UNSUPPORTED, f"{reason}: {message}")


def _registry_to_json(registry: TrustedRegistry) -> dict[str, Any]:
    # Without the defaults: revisions and proofs of agents that know no such field stay what they
    # were, and one that meets such a field finds a revision that does not fit, and changes nothing.
    flags = {"dns": registry.dns, "preview": registry.preview}
    return {
        **{name: True for name, on in flags.items() if on},
        "uid": registry.uid,
        "owner": registry.owner,
        "names": list(registry.names),
        "address": registry.address,
        "port": registry.port,
        "probe": {
            "image": registry.probe.image,
            "config": registry.probe.config,
            "manifest": registry.probe.manifest,
        },
    }


def _registry_from_json(item: Mapping[str, Any]) -> TrustedRegistry:
    probe = item["probe"]
    return TrustedRegistry(
        uid=str(item["uid"]),
        owner=str(item["owner"]),
        names=tuple(str(name) for name in item["names"]),
        address=str(item["address"]),
        port=int(item["port"]),
        probe=Probe(str(probe["image"]), str(probe["config"]), str(probe["manifest"])),
        dns=bool(item.get("dns", False)),
        preview=bool(item.get("preview", False)),
    )


def _fingerprint(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
