"""The reconciler in a world in memory, for the tests of whole runs."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller.claims import Key
from localregistry.controller.errors import ApiError
from localregistry.controller.events import Events
from localregistry.controller.failedpulls import FailedPulls
from localregistry.controller.frontdoors import FrontDoors
from localregistry.controller.hearing import Hearing
from localregistry.controller.hosting import Hosting
from localregistry.controller.kinds import (
    CLAIM,
    DEPLOYMENT,
    LOCAL_REGISTRY,
    Kind,
)
from localregistry.controller.probe import PushFailed
from localregistry.controller.reconcile import Reconciler
from localregistry.controller.usages import Usages
from localregistry.resources.config import OperatorConfig
from localregistry.trust import Report
from unit.controller.bodies import (
    CHILD,
    CONFIG,
    KEY,
    NAMESPACE,
    SYSTEM,
    Clock,
    Trust,
    lreg,
    node,
)
from unit.controller.standin_api import StandInApi

SIZE = {"size": "1Gi"}


class World:
    """The reconciler with an API server in memory and a registry whose push a test decides."""

    def __init__(
        self,
        *,
        api: StandInApi | None = None,
        usages: Usages | None = None,
        hearing: Hearing | None = None,
        doors: FrontDoors | None = None,
        config: OperatorConfig = CONFIG,
        **given: Any,
    ) -> None:
        self.api = api or StandInApi()
        self.clock = Clock()
        self.given = Trust(self.api, config=config)
        self.trust = self.given.trust
        self.pushes: list[str] = []
        self.refused = ""
        self.woken: list[Key] = []
        self.hosting = Hosting(self.api, config, self.trust, wake=self.woken.append)
        self.pulls = FailedPulls(
            *(self.api, self.trust),
            changed=self.woken.append,
            is_node=lambda name: name in self.given.fleet.nodes,
            clock=self.clock,
        )
        posts = Events(self.api, instance="op-1", namespace=SYSTEM)
        self.reconciler = Reconciler(
            *(self.api, config, self.trust, posts),
            push=self._push,
            usages=usages,
            hearing=hearing,
            hosting=self.hosting,
            pulls=self.pulls,
            doors=doors,
            clock=self.clock,
        )
        if api is None:
            self.api.put(lreg(**given))

    @classmethod
    def resumed(cls, other: World) -> World:
        """Another process, at the same API server."""
        return cls(api=other.api)

    async def _push(self, endpoint: str, uid: str) -> bool:
        self.pushes.append(endpoint)
        if self.refused:
            raise PushFailed(self.refused)
        return True

    async def run(self) -> float | None:
        return await self.reconciler.reconcile(KEY)

    async def run_until_fresh(self) -> None:
        """As the queue does: somebody deleted what we knew, so once more."""
        with pytest.raises(ApiError) as raised:
            await self.run()
        assert raised.value.stale
        await self.run()

    def change(self, **spec: Any) -> None:
        body = self.body()
        body["metadata"]["generation"] += 1
        self.api.put(body | {"spec": body["spec"] | spec})

    def body(self) -> dict[str, Any]:
        body = self.api.look(LOCAL_REGISTRY, *KEY)
        assert body is not None
        return body

    def status(self) -> dict[str, Any]:
        return dict(self.body().get("status") or {})

    def condition(self, which: str) -> tuple[str, str]:
        found = {c["type"]: c for c in self.status()["conditions"]}[which]
        return found["status"], found["reason"]

    def message(self, which: str) -> str:
        return str({c["type"]: c["message"] for c in self.status()["conditions"]}[which])

    def live(self, kind: Kind) -> dict[str, Any]:
        body = self.api.look(kind, NAMESPACE, CHILD)
        assert body is not None
        return body

    def available(self, yes: bool = True) -> None:
        """As the Deployment's controller would say."""
        body = self.live(DEPLOYMENT)
        ready = {"availableReplicas": 1, "updatedReplicas": 1} if yes else {}
        self.api.put(body | {"status": {"observedGeneration": 1, **ready}})

    def bound(self) -> dict[str, Any]:
        body = self.live(CLAIM)
        return self.api.put(body | {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}})

    async def ready(self) -> None:
        """Up to a registry that a node has pulled from."""
        self.given.fleet.observe_node(node("n1"), gone=False)
        self.given.fleet.surveyed = True
        await self.run()
        self.available()
        await self.run()
        await self.trust.reconcile()
        self.given.fleet.reports["n1"] = Report(self.trust.document.revision)
        await self.run()
