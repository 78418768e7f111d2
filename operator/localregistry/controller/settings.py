"""What `localregistry run` was told."""

from __future__ import annotations

from dataclasses import dataclass

from localregistry.resources.config import OperatorConfig
from localregistry.trust import AGENT_PORT

# Mends what a cut watch may have missed; jittered, so that restarts do not align.
RESYNC_SECONDS = 600.0


@dataclass(frozen=True)
class Settings:
    """What `localregistry run` was told."""

    config: OperatorConfig
    identity: str
    health_port: int = 8080
    agent_port: int = AGENT_PORT
    registry_port: int = 80
    # None: as each registry's Service has it.
    usage_port: int | None = None
    usage_seconds: float | None = None
    resync_seconds: float = RESYNC_SECONDS
