"""Docker with the graphdriver store: daemon.json, /etc/hosts and SIGHUP; never a restart.

The store cannot send a registry's pulls elsewhere, so the node resolves the name to the Service
(/etc/hosts) and dockerd is told to pull from it by plain http (`insecure-registries`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from localregistry.agent import (
    daemonjson,
    dockerapi,
    dockernode,
    dockerwords,
    gates,
    hostsblock,
)
from localregistry.agent.dockernode import Found
from localregistry.agent.dockerreload import Refusals, Reload
from localregistry.agent.guest import Guest, Unknown
from localregistry.agent.helper import Runtime
from localregistry.agent.journal import Record, sha256
from localregistry.agent.procs import Processes
from localregistry.agent.writer import Change, Plan, Writer
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry

# dockerd runs two programs for each /info, so that it is asked again only when the file or the
# daemon is another one, and every five minutes.
INFO_SECONDS = 300.0


@dataclass(frozen=True)
class DockerPlan(Plan):
    """`hosts` is the change of /etc/hosts. daemon.json goes `before` → `listing`, then a reload
    where needed, then `final`: where we made the key the running daemon forgets a name only by a
    list without it, and only then may the key go. `ours` and `stale` map names to UIDs; `needed` is
    what the running daemon must trust, `kept` what it trusted before and must go on to; an entry
    that the administrator took out of the file since the daemon's start is not of these: any reload
    applies his edits. `unsettled`: the journal does not say just that yet.
    """

    hosts: hostsblock.Block | None = None
    path: str = dockernode.DEFAULT_CONFIG
    before: bytes | None = None
    base: bytes | None = None
    listing: bytes | None = None
    final: bytes | None = None
    ours: Mapping[str, str] = field(default_factory=dict)
    stale: Mapping[str, str] = field(default_factory=dict)
    needed: Collection[str] = ()
    kept: Collection[str] = ()
    version: str = ""
    unsettled: bool = False

    @property
    def idle(self) -> bool:
        return not (self.changes or self.reload or self.hosts or self.unsettled)

    def without(self, paths: Collection[str]) -> DockerPlan:
        # Trust without the hosts line sends pulls elsewhere, a line without trust makes them fail.
        if not any(change.path in paths for change in self.changes):
            return self
        return DockerPlan(refused=self.refused, entries=self.entries)


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
        self._info: tuple[tuple[str, bytes | None], float, dockerapi.Info] | None = None
        self._refusals = Refusals(clock)

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
                facts, address=registry.address, registry_names=registry.names
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
        if reload and (known := self._refusals.known(found.identity, listing)) is not None:
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
        journal = self.guest.journal
        old = journal.get(plan.path)
        if plan.reload and plan.before is not None:
            # The signal applies the whole file, edits that its administrator left pending too.
            words = dockerwords.ask(self.guest.host, found.process, plan.version)
            if words:
                return self._refused_by_daemon(plan, found, words)
        # dockerd remembers a lookup for 5 s: the line is there before anybody asks for the name,
        # and goes when nobody is told to trust it any longer.
        if plan.hosts and plan.hosts.grows:
            hostsblock.apply(self.guest, plan.hosts)
        if plan.ours or plan.stale or old is not None:
            journal.put(plan.path, self._record(plan, old))
        if plan.before != plan.listing:
            self.guest.make_directories(plan.path)
            self.guest.put(Change(plan.path, plan.before, plan.listing))
        if plan.reload:
            refusal = self._reload().run(
                found, present=plan.needed, absent=plan.stale.keys(), kept=plan.kept
            )
            if refusal is not None:
                return self._roll_back(plan, found, old, refusal)
        if plan.hosts and not plan.hosts.grows:
            hostsblock.apply(self.guest, plan.hosts)
        if plan.listing != plan.final:
            self.guest.put(Change(plan.path, plan.listing, plan.final))
        self._settle(plan)
        return {}

    def _refused_by_daemon(
        self, plan: DockerPlan, found: Found, words: str
    ) -> Mapping[str, NodeResult]:
        """Nothing was written: the file as it is would not be taken, nor start the daemon."""
        result = NodeResult(
            NodeReason.FOREIGN_CONFIG_INVALID,
            f"{plan.path} is left alone: dockerd --validate says: {words}. Mend it.",
        )
        self._refusals.remember(found.identity, plan.listing, result)
        return dict.fromkeys([*plan.entries, *plan.stale.values()], result)

    def _roll_back(
        self, plan: DockerPlan, found: Found, old: Record | None, words: str
    ) -> Mapping[str, NodeResult]:
        """The bytes from before, and one more signal, so that file and daemon agree again."""
        back = plan.before
        if plan.before != plan.listing:
            if daemonjson.listed(plan.before) is None and plan.ours:
                # Without the key a daemon that took the names would keep them: a list lets go.
                back = daemonjson.add(plan.before, [n for n in plan.ours if n in plan.kept])
            self.guest.put(Change(plan.path, plan.listing, back))
        left = self._reload().run(
            found,
            present=(),
            absent=plan.ours.keys() - plan.kept,
            kept=plan.kept,
        )
        if back != plan.before:
            self.guest.put(Change(plan.path, back, plan.before))
        if plan.hosts and plan.hosts.grows:
            hostsblock.apply(self.guest, plan.hosts.undone())
        if old is None:
            self.guest.journal.forget(plan.path)
            self.guest.clear_directories()
        else:
            self.guest.journal.put(plan.path, old)
        after = "" if left is None else f" After that: {left}"
        result = NodeResult(
            NodeReason.ROLLED_BACK,
            f"dockerd did not take the change of {plan.path}, which was undone. {words}{after}",
        )
        self._refusals.remember(found.identity, plan.listing, result)
        return dict.fromkeys([*plan.entries, *plan.stale.values()], result)

    def _reload(self) -> Reload:
        return Reload(self.guest.host, self.processes, self._clock)

    def _settle(self, plan: DockerPlan) -> None:
        journal = self.guest.journal
        if not plan.ours:
            journal.forget(plan.path)
        elif (record := journal.get(plan.path)) is not None and plan.final is not None:
            journal.put(
                plan.path,
                Record(
                    pristine=record.pristine,
                    written=(sha256(plan.final),),
                    entries=dict(plan.ours),
                    key_made=record.key_made,
                ),
            )
        self.guest.clear_directories()

    def _record(self, plan: DockerPlan, old: Record | None) -> Record:
        contents = [plan.before, plan.listing, plan.final]
        digests = [sha256(content) for content in contents if content is not None]
        known = old.written if old else ()
        if plan.before is not None and digests[0] not in known:
            digests = digests[1:]  # not written by us
        return Record(
            pristine=self.guest.journal.keep(plan.base) if plan.base is not None else "",
            written=tuple(dict.fromkeys(digests)),
            entries={**plan.stale, **plan.ours},
            key_made=daemonjson.listed(plan.base) is None,
        )

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
        key = (found.identity, content)
        if self._info is None or self._info[0] != key or self._clock() > self._info[1]:
            self._info = (key, self._clock() + INFO_SECONDS, dockerapi.info(found.api))
        return self._info[2]

    def _refuse_all(self, wanted: Sequence[TrustedRegistry], result: NodeResult) -> DockerPlan:
        uids = {registry.uid for registry in wanted} | self.guest.journal.uids()
        return DockerPlan(refused=dict.fromkeys(uids, result))


def _entry(registry: TrustedRegistry, *, by_flag: bool) -> str:
    how = "flag" if by_flag else "daemon.json"
    return "\n".join([how, registry.address, *registry.names])


def _kept(insecure: Collection[str], listing: bytes | None) -> set[str]:
    """What the running daemon trusts and the new file still says."""
    listed = daemonjson.listed(listing) or ()
    said = {*daemonjson.LOOPBACK, *(entry.rpartition("://")[2] for entry in listed)}
    return said & set(insecure)
