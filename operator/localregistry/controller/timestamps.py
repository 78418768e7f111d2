"""RFC 3339 as the API server writes it, to and from seconds since the epoch."""

from __future__ import annotations

import datetime


def epoch(text: str | None) -> float:
    """0.0 where there is no time, or none that can be read."""
    try:
        return datetime.datetime.fromisoformat(text or "").timestamp()
    except ValueError:
        return 0.0


def rfc3339(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
