"""The LocalRegistry as frozen data, read from a body as the API server holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .exposure import Ingress, Page, Service
from .fields import Fields, InvalidSpec
from .hosts import Host, InvalidHost
from .nodes import Nodes
from .storage import OBJECT_NAME, Storage

__all__ = ["InvalidSpec", "LocalRegistry", "LocalRegistrySpec"]

MAX_ALIASES = 16
REPEATED_HOST = "must not repeat spec.host"
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}")


@dataclass(frozen=True)
class LocalRegistrySpec:
    """What the user asked for, with the CRD's defaults filled in.

    `resources`, `node_selector`, `tolerations` and `affinity` are those of a pod, passed on as
    they are. `image` None means the operator's own choice.
    """

    host: Host
    aliases: tuple[Host, ...] = ()
    image: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict)
    storage: Storage = field(default_factory=Storage)
    ingress: Ingress = field(default_factory=Ingress)
    service: Service = field(default_factory=Service)
    page: Page = field(default_factory=Page)
    nodes: Nodes = field(default_factory=Nodes)
    suspend: bool = False

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All that image references may name the registry by: the host first."""
        return (self.host, *self.aliases)

    @classmethod
    def from_body(cls, spec: Any) -> LocalRegistrySpec:
        """Raises InvalidSpec; unknown fields are a newer CRD's, and ignored."""
        fields = Fields(spec, "spec")
        try:
            host = Host.parse(fields.required_text("host"))
        except InvalidHost as error:
            raise InvalidSpec(f"spec.host {error}") from None
        return cls(
            host=host,
            aliases=_aliases(fields, host),
            image=_image(fields),
            image_pull_secrets=_pull_secrets(fields),
            resources=fields.raw("resources"),
            node_selector=fields.texts("nodeSelector"),
            tolerations=_tolerations(fields),
            affinity=fields.raw("affinity"),
            storage=Storage.from_fields(
                fields.object("storage") if fields.has("storage") else None
            ),
            ingress=Ingress.from_fields(fields.object("ingress")),
            service=Service.from_fields(fields.object("service")),
            page=Page.from_fields(fields.object("page")),
            nodes=Nodes.from_fields(fields.object("nodes")),
            suspend=fields.flag("suspend", default=False),
        )


@dataclass(frozen=True)
class LocalRegistry:
    """One LocalRegistry: what the controller needs of its metadata, its spec and raw status.

    `created` and `deleted` are RFC 3339 times; `deleted` is the deletionTimestamp, None while the
    resource is not being deleted.
    """

    namespace: str
    name: str
    uid: str
    spec: LocalRegistrySpec
    generation: int = 0
    created: str = ""
    deleted: str | None = None
    finalizers: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    resource_version: str = ""
    status: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_body(cls, body: Any) -> LocalRegistry:
        """Raises InvalidSpec, and nothing else, whatever the body is."""
        fields = Fields(body, "")
        metadata = fields.object("metadata")
        status = body.get("status") if isinstance(body, Mapping) else None
        return cls(
            namespace=metadata.required_text("namespace"),
            name=_object_name(metadata),
            uid=metadata.required_text("uid"),
            spec=LocalRegistrySpec.from_body(fields.raw("spec")),
            generation=metadata.number("generation"),
            created=metadata.text("creationTimestamp") or "",
            deleted=metadata.text("deletionTimestamp"),
            finalizers=tuple(
                item for item in metadata.items("finalizers") if isinstance(item, str)
            ),
            annotations=metadata.texts("annotations"),
            resource_version=metadata.text("resourceVersion") or "",
            status=dict(status) if isinstance(status, Mapping) else {},
        )


def _object_name(metadata: Fields) -> str:
    name = metadata.required_text("name")
    if not OBJECT_NAME.fullmatch(name):
        raise InvalidSpec("metadata.name must be the name of an object")
    return name


def _aliases(fields: Fields, host: Host) -> tuple[Host, ...]:
    path, aliases = fields.at("aliases"), list[Host]()
    given = fields.items("aliases")
    if len(given) > MAX_ALIASES:
        raise InvalidSpec(f"{path} must have at most {MAX_ALIASES} items")
    for index, text in enumerate(given):
        if not isinstance(text, str):
            raise InvalidSpec(f"{path}[{index}] must be a string")
        try:
            alias = Host.parse_alias(text)
        except InvalidHost as error:
            raise InvalidSpec(f"{path}[{index}] {error}") from None
        if alias in aliases:
            raise InvalidSpec(f"{path}[{index}] {text} is there twice")
        aliases.append(alias)
    if host in aliases:
        raise InvalidSpec(f"{path} {REPEATED_HOST}")
    return tuple(aliases)


def _image(fields: Fields) -> str | None:
    image = fields.text("image")
    if image is not None and not _IMAGE.fullmatch(image):
        raise InvalidSpec("spec.image must be an image reference, such as registry:3.1.1")
    return image


def _pull_secrets(fields: Fields) -> tuple[str, ...]:
    path = fields.at("imagePullSecrets")
    entries = [Fields(item, path) for item in fields.items("imagePullSecrets")]
    return tuple(entry.required_text("name") for entry in entries)


def _tolerations(fields: Fields) -> tuple[Mapping[str, Any], ...]:
    given = fields.items("tolerations")
    if any(not isinstance(item, Mapping) for item in given):
        raise InvalidSpec("spec.tolerations must be a list of objects")
    return tuple(dict(item) for item in given)
