"""What is in a registry, through the API server's proxy to its Service.

That needs `get` on `services/proxy` in the registry's namespace, a right to read; a port-forward
would need `create`, and a connection that upgrades. It works wherever kubectl does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from localregistry.commands import manifests, paths
from localregistry.commands.cluster import Cluster
from localregistry.commands.problems import Problem, Refused, Unavailable
from localregistry.resources.deployment import USAGE_PORT_NAME
from localregistry.resources.probe_image import REPOSITORY as PROBE
from localregistry.resources.service import HTTP_PORT_NAME

# Requests of a few milliseconds each; the API server's fairness lets some ten of a user's through.
AT_ONCE = 8
# What becomes part of a path. Whatever answers as the registry must not lead the user's own rights
# to somewhere else, by a part that is `..` say.
_NAME = re.compile(r"\w[\w.:-]*(/\w[\w.-]*)*", re.ASCII)
# A manifest for each: with 8 at once some seconds. Larger registries are told of as cut.
MAX_TAGS = 500
NOTHING_THERE = "The registry's Service is not there yet, or leads to no pod."


@dataclass(frozen=True)
class Tag:
    """`size` in bytes of all its blobs; `pushed` is RFC 3339; None where it is not known."""

    repository: str
    name: str
    digest: str | None = None
    size: int | None = None
    pushed: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """`notes` say what is missing and why; without `tags` at all, `problem` says why."""

    tags: tuple[Tag, ...] = ()
    repositories: int = 0
    notes: tuple[str, ...] = field(default=())
    problem: str | None = None


def read(cluster: Cluster, namespace: str, name: str, *, at_most: int = MAX_TAGS) -> Catalogue:
    """Never a Problem: the rest of the status can do without, and says so."""
    reader = _Reader(cluster, namespace, name)
    try:
        repositories = [one for one in reader.pages("/v2/_catalog", "repositories") if one != PROBE]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            lists = list(pool.map(reader.tags, repositories[:at_most]))
            tags = [tag for found in lists for tag in found]
            sized = list(pool.map(reader.sized, tags[:at_most]))
    except Refused as problem:
        return Catalogue(problem=f"{problem.sentence} The right is `get` on `services/proxy`.")
    except Problem as problem:
        return Catalogue(problem=problem.sentence)
    notes = []
    if len(tags) > at_most or len(repositories) > at_most:
        notes.append(f"Only the first {at_most} tags are shown.")
    times, note = reader.pushed()
    found = tuple(replace(tag, pushed=times.get((tag.repository, tag.name))) for tag in sized)
    return Catalogue(found, len(repositories), tuple(notes + ([note] if note and found else [])))


class _Reader:
    """One registry; raises Problem but where it says otherwise."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self._cluster = cluster
        self._where = paths.service_proxy(namespace, name, HTTP_PORT_NAME)
        self._usage = paths.service_proxy(namespace, name, USAGE_PORT_NAME)

    def pages(self, path: str, key: str) -> list[str]:
        """A list that the registry gives in pages, each naming the last of the one before."""
        found: list[str] = []
        last: dict[str, str] = {}
        while True:
            content, headers = self._get(path, n="1000", **last)
            page = [str(one) for one in _object(content).get(key) or ()]
            found += [one for one in page if _NAME.fullmatch(one)]
            if not page or 'rel="next"' not in str(headers.get("Link", "")):
                return found
            last = {"last": page[-1]}

    def tags(self, repository: str) -> list[Tag]:
        """Without any where the repository is gone, or has none left."""
        try:
            names = self.pages(f"/v2/{repository}/tags/list", "tags")
        except _Absent:
            return []
        return [Tag(repository, name) for name in sorted(names)]

    def sized(self, tag: Tag) -> Tag:
        try:
            content, headers = self._manifest(tag.repository, tag.name)
            parts = manifests.parts(content)
            for child in filter(_NAME.fullmatch, parts.children):
                # One platform of an index may never have been pushed.
                try:
                    inner = manifests.parts(self._manifest(tag.repository, child)[0])
                except _Absent:
                    continue
                parts = parts.with_child(inner)
        except _Absent:
            return tag
        digest = headers.get("Docker-Content-Digest")
        return replace(tag, digest=digest, size=sum(parts.blobs.values()) + parts.own)

    def pushed(self) -> tuple[Mapping[tuple[str, str], str], str]:
        """When each tag was pushed last, and why that is not known; no Problem."""
        try:
            status, content, _ = self._cluster.raw(f"{self._usage}/tags")
            if status == 404:
                return {}, "When tags were pushed is told by registries of a newer operator."
            if status != 200:
                return {}, "When tags were pushed is not known: the second container is silent."
            return _times(_object(content).get("tags") or ()), ""
        except Problem as problem:
            return {}, f"When tags were pushed is not known: {problem.sentence}"

    def _manifest(self, repository: str, reference: str) -> tuple[bytes, Mapping[str, str]]:
        path = f"/v2/{repository}/manifests/{reference}"
        return self._get(path, accept=", ".join(manifests.TYPES))

    def _get(self, path: str, **options: Any) -> tuple[bytes, Mapping[str, str]]:
        status, content, headers = self._cluster.raw(self._where + path, **options)
        if status == 404:
            # The API server's own 404 is a Status object: there is no such Service.
            if b'"kind":"Status"' in content.replace(b" ", b""):
                raise Unavailable(NOTHING_THERE, "")
            raise _Absent(path, "")
        return self._cluster.checked(status, content, path), headers


class _Absent(Problem):
    """The registry answers that it has no such thing."""


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Unavailable("What answers is not the registry.", "")
    return body


def _times(tags: Iterable[Any]) -> dict[tuple[str, str], str]:
    return {
        (str(repository), str(name)): datetime.fromtimestamp(int(seconds), UTC).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )
        for repository, name, _, seconds in tags
    }
