"""The steps of a change of daemon.json and /etc/hosts, each of which may be the last one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from localregistry.agent import daemonjson, dockerwords, files, hostsblock
from localregistry.agent.dockernode import Found
from localregistry.agent.dockerplan import DockerPlan
from localregistry.agent.dockerreload import CONFIRM_SECONDS, Gone, Refusals, Reload
from localregistry.agent.guest import Guest
from localregistry.agent.journal import Record, sha256
from localregistry.agent.procs import Processes
from localregistry.agent.writer import Change
from localregistry.trust import NodeReason, NodeResult

Results = Mapping[str, NodeResult]

# An administrator may restart dockerd while it is told. That it goes twice is the signal's doing.
DEATHS = 2


class Applier:
    """Makes a plan true, and undoes what the daemon does not take."""

    def __init__(
        self,
        guest: Guest,
        processes: Processes,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.guest = guest
        self.processes = processes
        self.refusals = Refusals(clock)
        self._reload = Reload(guest.host, processes, clock, sleep)
        self._deaths: tuple[bytes | None, int] = (None, 0)

    def run(self, plan: DockerPlan, found: Found) -> Results:
        """Gives what was not done, by UID. Raises files.Outrun, files.Refused."""
        journal = self.guest.journal
        old = journal.get(plan.path)
        if plan.reload and not self.processes.alive(found.identity):
            return self._again(plan, "dockerd was restarted; it is told when it serves.")
        if plan.reload and plan.before is not None:
            # The signal applies the whole file, edits that its administrator left pending too.
            words = dockerwords.ask(self.guest.host, found.process, plan.version)
            if words:
                if self.guest.read(plan.path) != plan.before:
                    # They are of another content, and no verdict on the one that is planned for.
                    raise files.Outrun(str(self.guest.host.resolve(plan.path)))
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
            try:
                refusal = self._reload.run(
                    found, present=plan.needed, absent=plan.stale.keys(), kept=plan.kept
                )
            except Gone as gone:
                return self._gone(plan, found, gone)
            if refusal is not None:
                return self._roll_back(plan, found, old, refusal)
            self._deaths = (None, 0)
        if plan.hosts and not plan.hosts.grows:
            hostsblock.apply(self.guest, plan.hosts)
        if plan.listing != plan.final:
            self.guest.put(Change(plan.path, plan.listing, plan.final))
        self._settle(plan)
        return {}

    def _refused_by_daemon(self, plan: DockerPlan, found: Found, words: str) -> Results:
        """Nothing was written: the file as it is would not be taken, nor start the daemon."""
        result = NodeResult(
            NodeReason.FOREIGN_CONFIG_INVALID,
            f"{plan.path} is left alone: dockerd --validate says: {words}. Mend it.",
        )
        self.refusals.remember(found.identity, plan.listing, result)
        return _for_all(plan, result)

    def _gone(self, plan: DockerPlan, found: Found, gone: Gone) -> Results:
        """dockerd went after the write. A start of it reads the file, which is as good as a signal;
        where it went with the signal and does not come back, the file from before is put back, in
        case that it can start with that one alone. The journal says that the names may be known to
        the daemon, so that the next pass sees to the rest."""
        if not gone.told:
            return self._again(plan, f"dockerd was restarted, and reads {plan.path} as it starts.")
        known, count = self._deaths
        count = count + 1 if known == plan.listing else 1
        self._deaths = (plan.listing, count)
        if count < DEATHS and self._reload.comes_back(found, CONFIRM_SECONDS):
            return self._again(plan, f"dockerd was restarted, and read {plan.path} as it started.")
        self._put_back(plan, plan.listing)
        if count < DEATHS:
            return self._again(
                plan,
                f"dockerd went while it was told of {plan.path}, which is as it was before; it is "
                "told again when it serves.",
            )
        result = NodeResult(
            NodeReason.ROLLED_BACK,
            f"dockerd went {count} times when it was told of {plan.path}, which is as it was "
            "before; look at dockerd's log.",
        )
        self.refusals.remember("", plan.listing, result)
        return _for_all(plan, result)

    def _roll_back(self, plan: DockerPlan, found: Found, old: Record | None, words: str) -> Results:
        """The bytes from before, and one more signal, so that file and daemon agree again."""
        back = plan.before
        if plan.before != plan.listing:
            if daemonjson.listed(plan.before) is None and plan.ours:
                # Without the key a daemon that took the names would keep them: a list lets go.
                back = daemonjson.add(plan.before, [n for n in plan.ours if n in plan.kept])
            self.guest.put(Change(plan.path, plan.listing, back))
        try:
            left = self._reload.run(
                found, present=(), absent=plan.ours.keys() - plan.kept, kept=plan.kept
            )
        except Gone:
            self._put_back(plan, back)
            return self._again(plan, "dockerd was restarted; it is told when it serves.")
        self._put_back(plan, back)
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
        self.refusals.remember(found.identity, plan.listing, result)
        return _for_all(plan, result)

    def _put_back(self, plan: DockerPlan, current: bytes | None) -> None:
        """Both files as they were; `current` is what daemon.json is."""
        if current != plan.before:
            self.guest.put(Change(plan.path, current, plan.before))
        if plan.hosts and plan.hosts.grows:
            hostsblock.apply(self.guest, plan.hosts.undone())

    def _again(self, plan: DockerPlan, words: str) -> Results:
        return _for_all(plan, NodeResult(NodeReason.PENDING, words))

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


def _for_all(plan: DockerPlan, result: NodeResult) -> Results:
    return dict.fromkeys([*plan.entries, *plan.stale.values()], result)
