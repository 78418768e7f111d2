"""Docker with the graphdriver store: daemon.json, /etc/hosts and SIGHUP; never a restart.

The store cannot send a registry's pulls elsewhere, so the node resolves the name to the Service (by
/etc/hosts, or DNS) and dockerd is told to pull from it by plain http (`insecure-registries`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from localregistry.agent import daemonjson, dockerapi, dockernode, gates, hostsblock
from localregistry.agent.dockerapply import Applier
from localregistry.agent.dockernode import Found
from localregistry.agent.dockerplan import DockerPlan
from localregistry.agent.guest import Guest, Unknown
from localregistry.agent.helper import Runtime
from localregistry.agent.journal import Record
from localregistry.agent.procs import Processes
from localregistry.agent.writer import Change, Writer
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry

# dockerd runs two programs for each /info, so that it is asked again only when the file or the
# daemon is another one, and every five minutes.
INFO_SECONDS = 300.0


class Docker(Writer[Found, DockerPlan]):
    """The writer for Docker's graphdriver store."""

    def __init__(
        self,
        guest: Guest,
        processes: Processes,
        runtime: Runtime,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.guest = guest
        self.processes = processes
        self.runtime = runtime
        self._clock = clock
        self._info: tuple[object, float, dockerapi.Info] | None = None
        self._applier = Applier(guest, processes, clock)

    def detect(self) -> Found | NodeResult:
        return dockernode.detect(
            host=self.guest.host, processes=self.processes, runtime=self.runtime
        )

    def plan(self, wanted: Sequence[TrustedRegistry], found: Found | NodeResult) -> DockerPlan:
        if not wanted and self.guest.journal.empty and not hostsblock.present(self.guest):
            return DockerPlan()
        if isinstance(found, NodeResult):
            return self._refuse_all(wanted, found)
        before = self.guest.read(found.config_path)
        try:
            info = self._ask(found, before)
        except dockerapi.NoAnswer as error:
            return self._refuse_all(
                wanted, NodeResult(NodeReason.PENDING, f"dockerd does not answer: {error}.")
            )
        flags = found.process.flags
        facts = gates.Facts(flags, info.version, info.containerd_store, found.config_path, before)
        if (closed := gates.check(facts)) is not None:
            return self._refuse_all(wanted, closed)
        try:
            return self._plan(wanted, found, facts, info)
        except daemonjson.Invalid as error:
            words = f"{found.config_path} is left alone: {error}."
            return self._refuse_all(wanted, NodeResult(NodeReason.FOREIGN_CONFIG_INVALID, words))

    def _plan(
        self,
        wanted: Sequence[TrustedRegistry],
        found: Found,
        facts: gates.Facts,
        info: dockerapi.Info,
    ) -> DockerPlan:
        before = facts.content
        record = self.guest.journal.get(found.config_path) or Record()
        base = self._base(found.config_path, before, record)
        listed = daemonjson.listed(base)
        by_flag = "insecure-registry" in facts.flags
        refused: dict[str, NodeResult] = {}
        serving: list[TrustedRegistry] = []
        for registry in wanted:
            problem = hostsblock.conflict(self.guest, registry) or gates.flag_conflict(
                facts,
                address=None if registry.dns else registry.address,
                registry_names=registry.names,
            )
            if problem is None:
                serving.append(registry)
            else:
                refused[registry.uid] = problem
        ours = {
            name: registry.uid
            for registry in serving
            for name in registry.names
            if not by_flag and name not in (listed or ())
        }
        stale = {
            n: u for n, u in record.entries.items() if n not in ours and n not in (listed or ())
        }
        lingering = stale.keys() & info.insecure if not by_flag else set()
        final = daemonjson.add(base, list(ours)) if ours else base
        listing = daemonjson.add(base, []) if lingering and not ours else final
        needed = {name for registry in serving for name in registry.names if not by_flag}
        reload = bool(needed - info.insecure or lingering)
        if reload and (known := self._applier.refusals.known(found.identity, listing)) is not None:
            everyone = dict.fromkeys([*(r.uid for r in serving), *stale.values()], known)
            return DockerPlan(refused={**refused, **everyone})
        if reload and (closed := gates.check_reload(facts)) is not None:
            return self._unsignalled(wanted, found, facts, info, closed)
        hosts = hostsblock.plan(self.guest, serving)
        steps = [Change(found.config_path, before, listing)] if before != listing else []
        steps += [Change(found.config_path, listing, final)] if listing != final else []
        if hosts is not None and hosts.change.before != hosts.change.after:
            steps.insert(0, hosts.change)
        return DockerPlan(
            changes=tuple(steps),
            refused=refused,
            entries={r.uid: _entry(r, by_flag=by_flag) for r in serving},
            reload=reload,
            lag=hosts.lag if hosts is not None else 0.0,
            hosts=hosts,
            path=found.config_path,
            before=before,
            base=base,
            listing=listing,
            final=final,
            ours=ours,
            stale=stale,
            needed=needed,
            kept=_kept(info.insecure, listing) - stale.keys(),
            version=info.version,
            unsettled=dict(record.entries) != ours or self.guest.untidy,
        )

    def _unsignalled(
        self,
        wanted: Sequence[TrustedRegistry],
        found: Found,
        facts: gates.Facts,
        info: dockerapi.Info,
        closed: NodeResult,
    ) -> DockerPlan:
        """Serves what the running daemon trusts already, since the administrator listed it."""
        trusted = [registry for registry in wanted if set(registry.names) <= info.insecure]
        if not trusted or len(trusted) == len(wanted):
            return self._refuse_all(wanted, closed)
        plan = self._plan(trusted, found, facts, info)
        others = {registry.uid for registry in wanted} - {registry.uid for registry in trusted}
        return replace(plan, refused={**dict.fromkeys(others, closed), **plan.refused})

    def apply(self, plan: DockerPlan, found: Found | NodeResult) -> Mapping[str, NodeResult]:
        if isinstance(found, NodeResult):
            return {}
        self._info = None
        return self._applier.run(plan, found)

    def _base(self, path: str, current: bytes | None, record: Record) -> bytes | None:
        """The file without anything of ours."""
        known = self.guest.base(path, current)
        if known is not Unknown:
            assert not isinstance(known, type)
            return known
        assert current is not None
        rest = daemonjson.drop(current, record.entries, whole_key=record.key_made)
        made_by_us = not record.pristine
        return None if made_by_us and not daemonjson.parse(rest) else rest

    def _ask(self, found: Found, content: bytes | None) -> dockerapi.Info:
        # With the file's own identity: who wrote it twice may have told the daemon in between.
        key = (found.identity, content, self.guest.signature(found.config_path))
        if self._info is None or self._info[0] != key or self._clock() > self._info[1]:
            self._info = (key, self._clock() + INFO_SECONDS, dockerapi.info(found.api))
        return self._info[2]

    def _refuse_all(self, wanted: Sequence[TrustedRegistry], result: NodeResult) -> DockerPlan:
        uids = {registry.uid for registry in wanted} | self.guest.journal.uids()
        return DockerPlan(refused=dict.fromkeys(uids, result))


def _entry(registry: TrustedRegistry, *, by_flag: bool) -> str:
    how = "flag" if by_flag else "daemon.json"
    return "\n".join([how, "DNS" if registry.dns else registry.address, *registry.names])


def _kept(insecure: Collection[str], listing: bytes | None) -> set[str]:
    """What the running daemon trusts and the new file still says. Of loopback a list of the
    administrator's own may say nothing: then Docker's release decides, whoever sends the signal."""
    listed = daemonjson.listed(listing) or ()
    return {entry.rpartition("://")[2] for entry in listed} & set(insecure)
