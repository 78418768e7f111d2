"""Events on a LocalRegistry, one for each change of a condition.

`events.k8s.io/v1` by our own client: kopf posts one core/v1 event per call, changed or not.
Reasons are the conditions' reasons; notes never carry the content of any object.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import EVENT
from localregistry.controller.kube import Api
from localregistry.spec import names
from localregistry.spec.reasons import WARNINGS

logger = logging.getLogger(__name__)

REPORTER = "localregistry.dev/operator"
# The API server refuses longer notes, and counts bytes.
MAX_NOTE = 1024


def changes(
    before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The conditions whose status or reason is news; that nothing is known of a new resource is
    none."""
    known = {c["type"]: (c.get("status"), c.get("reason")) for c in before}
    return [
        c
        for c in after
        if known.get(c["type"]) != (c["status"], c["reason"])
        and (c["type"] in known or c["status"] != "Unknown")
    ]


class Events:
    """Posts events; a failed post is logged and forgotten, since events are only a courtesy."""

    def __init__(self, api: Api, *, instance: str, namespace: str) -> None:
        self._api = api
        self._instance = instance
        self._namespace = namespace

    async def conditions(
        self, body: Mapping[str, Any], changed: Iterable[Mapping[str, Any]]
    ) -> None:
        for condition in changed:
            bad = condition["status"] == "False" or condition["reason"] in WARNINGS
            kind = "Warning" if bad else "Normal"
            note = f"{condition['type']} is {condition['status']}: {condition['message']}"
            await self.post(body, reason=condition["reason"], note=note, kind=kind)

    async def post(
        self,
        body: Mapping[str, Any],
        *,
        reason: str,
        note: str,
        kind: str = "Normal",
        elsewhere: bool = False,
    ) -> None:
        """One event about this LocalRegistry.

        `elsewhere` puts it into the operator's namespace, for resources whose own namespace may
        be terminating and takes no event any more.
        """
        meta = body["metadata"]
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        event = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {
                # Unique and readable, as kubectl sorts by it: the object and the time.
                "name": f"{meta['name'][:230].rstrip('-.')}.{time.time_ns():x}",
                "namespace": self._namespace if elsewhere else meta["namespace"],
            },
            "eventTime": now,
            "reportingController": REPORTER,
            "reportingInstance": self._instance[:128],
            "action": "Reconcile",
            "reason": reason,
            "type": kind,
            "note": note.encode()[:MAX_NOTE].decode(errors="ignore"),
            "regarding": {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
        }
        try:
            await self._api.create(EVENT, event)
        except ApiError as error:
            logger.info("Could not post event %s on %s: %s", reason, meta["name"], error)
