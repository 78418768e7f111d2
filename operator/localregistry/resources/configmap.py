"""The registry engine's own configuration, never the image's default."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import yaml

from localregistry.spec.registry import LocalRegistry

from .config import OperatorConfig
from .meta import child_metadata

CONFIG_KEY = "config.yml"
HTTP_PORT = 5000
METRICS_PORT = 5001
STORAGE_ROOT = "/var/lib/registry"
# A push in flight may end before the process does; the pod's grace period is a little longer.
DRAIN_SECONDS = 60

# The one written in C takes a tenth of the time; every reconcile renders.
_DUMPER: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def build(registry: LocalRegistry, config: OperatorConfig) -> dict[str, Any] | None:
    """A ConfigMap with the one key `config.yml`."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": child_metadata(registry),
        "data": {CONFIG_KEY: render(registry)},
    }


def render(registry: LocalRegistry) -> str:
    """The text of `config.yml` for distribution v3."""
    return _text(registry.uid)


# The ConfigMap and the pod's checksum need the same text within one run; those of other runs come
# in between, so a few are kept.
@lru_cache(maxsize=32)
def _text(uid: str) -> str:
    return yaml.dump(_engine_config(uid), Dumper=_DUMPER, sort_keys=False)


def checksum(registry: LocalRegistry) -> str:
    """Changes with the configuration, and so with it the pod."""
    return hashlib.sha256(render(registry).encode()).hexdigest()[:16]


def _engine_config(uid: str) -> dict[str, Any]:
    return {
        "version": 0.1,
        "log": {"level": "info", "formatter": "json", "fields": {"service": "registry"}},
        # No cache.blobdescriptor: after a garbage collection it claims blobs that are gone.
        "storage": {
            "filesystem": {"rootdirectory": STORAGE_ROOT},
            "delete": {"enabled": True},
            "maintenance": {
                "uploadpurging": {
                    "enabled": True,
                    "age": "168h",
                    "interval": "24h",
                    "dryrun": False,
                },
            },
        },
        "http": {
            "addr": f":{HTTP_PORT}",
            "secret": _http_secret(uid),
            # The registry is reached by several names and ports: its answers name none of them.
            "relativeurls": True,
            "draintimeout": f"{DRAIN_SECONDS}s",
            "headers": {"X-Content-Type-Options": ["nosniff"]},
            "debug": {
                "addr": f":{METRICS_PORT}",
                "prometheus": {"enabled": True, "path": "/metrics"},
            },
        },
        # Sick storage: at most 10 s until `/` answers 503, 10 s more until the pod is not ready.
        "health": {"storagedriver": {"enabled": True, "interval": "5s", "threshold": 2}},
    }


def _http_secret(uid: str) -> str:
    """Signs the state of an upload, which must outlive a restart of the pod.

    There is no authentication in front of it, so it guards nothing that a Secret would keep.
    """
    return hashlib.sha256(f"localregistry http.secret {uid}".encode()).hexdigest()
