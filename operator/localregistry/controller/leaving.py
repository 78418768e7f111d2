"""Takes the operator out of the cluster again: what `localregistry restore` does.

Level-triggered as all else: it may be run again after any failure, and each step looks first. The
operator is stopped and its Lease taken, so that nobody gives nodes trust while it is withdrawn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from localregistry.controller import farewell, leader
from localregistry.controller.errors import ApiError
from localregistry.controller.finalizer import Finalizer, let_go
from localregistry.controller.kinds import (
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    LEASE,
    LOCAL_REGISTRY,
    POD,
    Kind,
)
from localregistry.controller.kube import Api
from localregistry.controller.timestamps import rfc3339
from localregistry.controller.withdrawal import Outcome, Withdrawal
from localregistry.resources import hosting, node_agent, trust_config
from localregistry.resources.config import OperatorConfig
from localregistry.spec import names
from localregistry.trust import AGENT_PORT, DOCUMENT_KEY, Damaged, TrustDocument

# An operator that is told to end has 30 s; one that was killed leaves a Lease of 15 s.
ACQUIRE_SECONDS = 60.0
# Agents end within a second; their grace period is 10 s.
PODS_SECONDS = 30.0
LOOK_SECONDS = 0.5
# What somebody else writes at the same moment is read again.
ATTEMPTS = 5

Body = dict[str, Any]


class CannotLeave(Exception):
    """What is in the way, and what to do about it."""


@dataclass(frozen=True)
class Options:
    """`operator` is the name of its Deployment, `seconds` what Ready nodes get to confirm.

    `force`: go on without the nodes that did not. `hosting`: the operator was to name a
    LocalRegistry to tools, in kube-public.
    """

    namespace: str
    operator: str
    identity: str
    seconds: float = 120.0
    force: bool = False
    hosting: bool = False
    agent_port: int = AGENT_PORT
    acquire_seconds: float = ACQUIRE_SECONDS


class Leaving:
    """`say` takes one line of progress."""

    def __init__(
        self,
        api: Api,
        session: aiohttp.ClientSession,
        options: Options,
        *,
        say: Callable[[str], None],
    ) -> None:
        self._api = api
        self._session = session
        self._options = options
        self._namespace = options.namespace
        self._say = say
        self._finished = False

    async def run(self) -> None:
        """Raises CannotLeave, or ApiError where the API server is away or refuses."""
        await self._stop_operator()
        await self._leading()
        if not self._finished:
            raise CannotLeave("somebody else took the Lease meanwhile: run this again")
        await self._delete(LEASE, leader.NAME)

    async def _stop_operator(self) -> None:
        name = self._options.operator
        deployment = await self._api.get(DEPLOYMENT, self._namespace, name)
        if deployment is None:
            self._say(f"There is no Deployment {self._namespace}/{name} to be stopped")
        elif deployment["spec"].get("replicas") != 0:
            self._say(f"Stopping Deployment {self._namespace}/{name}")
            patch = {"metadata": {"uid": deployment["metadata"]["uid"]}, "spec": {"replicas": 0}}
            await self._api.merge_patch(DEPLOYMENT, self._namespace, name, patch)

    async def _leading(self) -> None:
        """Runs the steps while the Lease is held."""
        options = self._options
        lease = leader.Lease(self._api, namespace=self._namespace, identity=options.identity)
        started = asyncio.Event()

        async def work() -> None:
            started.set()
            await self._steps()

        leading = asyncio.ensure_future(leader.lead(lease, work))
        waiting = asyncio.ensure_future(started.wait())
        try:
            await asyncio.wait(
                {leading, waiting},
                timeout=options.acquire_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not started.is_set() and not leading.done():
                raise CannotLeave(
                    f"{await self._holder()} still holds Lease {self._namespace}/{leader.NAME}"
                    f" after {options.acquire_seconds:.0f} s: an operator runs that is not"
                    f" Deployment {options.operator}. Name its Deployment by --operator, or end it"
                )
            await leading
        finally:
            waiting.cancel()
            leading.cancel()
            await asyncio.gather(waiting, leading, return_exceptions=True)

    async def _holder(self) -> str:
        lease = await self._api.get(LEASE, self._namespace, leader.NAME) or {}
        return str((lease.get("spec") or {}).get("holderIdentity") or "somebody")

    async def _steps(self) -> None:
        await self._withdraw()
        await self._delete(DAEMON_SET, node_agent.NAME)
        await self._agents_gone()
        await self._delete(CONFIG_MAP, trust_config.NAME)
        await self._unname()
        await self._let_go()
        self._finished = True

    async def _withdraw(self) -> None:
        """Has every node undo what was done for any LocalRegistry."""
        options = self._options
        agents = await self._api.get(DAEMON_SET, self._namespace, node_agent.NAME)
        if agents is None:
            body = await self._api.get(CONFIG_MAP, self._namespace, trust_config.NAME)
            if body and _trusts(body) and not options.force:
                raise CannotLeave(
                    f"DaemonSet {self._namespace}/{node_agent.NAME} is gone while nodes still"
                    " trust: nobody is there to undo it. Apply manifests/clean-nodes.yaml, wait"
                    " for its pods to be Ready, then run this again with --force"
                )
            self._say("There are no agents: nothing is to be undone on nodes from here")
            return
        document = TrustDocument()
        config = OperatorConfig(namespace=self._namespace)
        await self._api.apply(CONFIG_MAP, trust_config.build(document, config))
        outcome = await Withdrawal(
            self._api,
            self._session,
            namespace=self._namespace,
            document=document,
            port=options.agent_port,
        ).run(options.seconds, say=self._say)
        self._judge(outcome)

    def _judge(self, outcome: Outcome) -> None:
        if outcome.away:
            self._say(
                f"Not Ready, and so not waited for: {', '.join(outcome.away)}. Apply"
                " manifests/clean-nodes.yaml once they are back"
            )
        if not outcome.waiting:
            self._say(f"All {outcome.clean} nodes that are Ready are as they were")
            return
        late = "; ".join(f"{node} {why}" for node, why in outcome.waiting.items())
        if not self._options.force:
            raise CannotLeave(
                f"Not confirmed within {self._options.seconds:.0f} s: {late}. Nothing was deleted"
                " and the operator is stopped. Mend these nodes and run this again, or run it"
                " with --force and clean them by manifests/clean-nodes.yaml"
            )
        self._say(f"Not confirmed, clean them by manifests/clean-nodes.yaml: {late}")

    async def _agents_gone(self) -> None:
        """The agents' pods end by themselves; an install right after this should find none."""
        deadline = time.monotonic() + PODS_SECONDS
        while await self._api.list_all(POD, self._namespace, labels=node_agent.PODS):
            if time.monotonic() > deadline:
                self._say("Some agents' pods are still ending")
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _unname(self) -> None:
        """Tools are not told of a registry that nobody looks after; what others tell them stays."""
        if not self._options.hosting:
            return
        body = await self._api.get(CONFIG_MAP, hosting.NAMESPACE, hosting.NAME)
        await self._afresh(CONFIG_MAP, body, self._unname_ours)

    async def _unname_ours(self, body: Body) -> None:
        if hosting.owner(body):
            await self._api.delete(CONFIG_MAP, body)
            self._say(f"Tools find no registry by {hosting.NAMESPACE}/{hosting.NAME} any more")

    async def _let_go(self) -> None:
        """Takes our finalizer off every LocalRegistry: nobody would do it any more."""
        try:
            bodies = await self._api.list_all(LOCAL_REGISTRY)
        except ApiError as error:
            if error.not_found:
                return  # no CRD, and so none of them
            raise
        for body in bodies:
            await self._afresh(LOCAL_REGISTRY, body, self._release)
        if bodies:
            self._say(
                f"{len(bodies)} LocalRegistries stay, with registry and images, and no node trusts"
                " their names any more. They can be deleted, now or later"
            )
            await self._farewell()

    async def _farewell(self) -> None:
        """Their statuses would say for ever what was true a moment ago. That is no reason to fail:
        one who applies the rights of an earlier version lacks that of doing so."""
        try:
            for body in await self._api.list_all(LOCAL_REGISTRY):
                await self._afresh(LOCAL_REGISTRY, body, self._leave_word)
        except ApiError as error:
            if error.unreachable:
                raise
            self._say(f"Their statuses stay as they were: {error}")

    async def _leave_word(self, body: Body) -> None:
        last = farewell.status(body, now=rfc3339(time.time()))
        if last is None or last == body.get("status"):
            return
        meta = body["metadata"]
        kept = {key: meta[key] for key in ("name", "namespace", "resourceVersion")}
        known = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": kept}
        await self._api.apply(LOCAL_REGISTRY, {**known, "status": last}, subresource="status")

    async def _release(self, body: Body) -> None:
        if Finalizer.holds(body):
            await let_go(self._api, body)

    async def _delete(self, kind: Kind, name: str) -> None:
        """Deletes it where it is there."""
        body = await self._api.get(kind, self._namespace, name)
        await self._afresh(kind, body, lambda found: self._api.delete(kind, found))

    async def _afresh(
        self, kind: Kind, body: Body | None, act: Callable[[Body], Awaitable[None]]
    ) -> None:
        """Acts on an object as it was read; on what somebody else wrote meanwhile, once more."""
        for left in reversed(range(ATTEMPTS)):
            if body is None:
                return
            try:
                await act(body)
                return
            except ApiError as error:
                if error.not_found:
                    return
                if not error.stale or not left:
                    raise
            meta = body["metadata"]
            body = await self._api.get(kind, meta["namespace"], meta["name"])


def _trusts(body: Body) -> bool:
    """Whether a trust ConfigMap names registries, or may."""
    try:
        return bool(TrustDocument.from_json((body.get("data") or {})[DOCUMENT_KEY]).registries)
    except (KeyError, Damaged):
        return True
