"""The operator as a process under its own ServiceAccount, and stand-ins for what a cluster adds.

Without kubelets nobody binds claims, runs registries or nodes: `Lab` plays these parts by writing
the statuses that they would write, and `NodeStandIn` answers as an agent would. The real parts are
tested on the kind cluster; here faults can be injected and every write is in the audit log.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from api import objects
from api.apiserver import REPOSITORY, ApiServer, binaries
from api.auditlog import epoch
from api.operators import Operator
from api.processes import Process, free_port, wait_until
from api.standin import SYSTEM, NodeStandIn
from localregistry.trust import DOCUMENT_KEY, TrustDocument

OPERATOR = ("localregistry-operator/", "kopf/")
# Nothing asked for this long: the operator is through. Its own pauses between two steps of one
# change are of 2 s at most.
QUIET_SECONDS = 3.0
# For what has no bar of its own: a start of the operator on a busy machine, and numbers of nodes,
# which are written every 10 s at most.
PATIENCE = 30.0
LREG = "localregistries.localregistry.dev"

PATHS = {
    "configmap": "/api/v1/namespaces/{namespace}/configmaps",
    "daemonset": "/apis/apps/v1/namespaces/{namespace}/daemonsets",
    "deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "ingress": "/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses",
    "lease": "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
    "pvc": "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
    "service": "/api/v1/namespaces/{namespace}/services",
    LREG: "/apis/localregistry.dev/v1alpha1/namespaces/{namespace}/localregistries",
}

EVERYWHERE = "/apis/localregistry.dev/v1alpha1/localregistries"

Body = dict[str, Any]


def install(api: ApiServer) -> None:
    """All of install.yaml but the operator's Deployment: its rights are what is tested."""
    documents = yaml.safe_load_all((REPOSITORY / "manifests/install.yaml").read_text())
    for document in documents:
        if document and document["kind"] != "Deployment":
            objects.apply(api, document)


@dataclass
class Lab:
    """One API server, one operator, and the parts that a cluster would play."""

    api: ApiServer
    operator_kubeconfig: Path
    agent_port: int
    registry_port: int
    usage_port: int
    page_port: int
    namespace: str
    operator: Operator | None = None
    nodes: dict[str, NodeStandIn] = field(default_factory=dict)
    registries: list[Process] = field(default_factory=list)

    def start_operator(self, **options: Any) -> Operator:
        self.operator = Operator.start(self, **options)
        return self.operator

    def apply(self, name: str, *, host: str | None = None, **spec: Any) -> Body:
        """Applies a LocalRegistry and returns it as stored."""
        body = {
            "apiVersion": "localregistry.dev/v1alpha1",
            "kind": "LocalRegistry",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"host": host or f"{name}.example.internal", **spec},
        }
        objects.apply(self.api, body)
        return self.get(LREG, name)

    def get(self, resource: str, name: str, namespace: str | None = None) -> Body:
        code, body = self._read(resource, name, namespace)
        assert code == 200, f"{resource} {name}: {code} {body.get('message')}"
        return body

    def exists(self, resource: str, name: str, namespace: str | None = None) -> bool:
        return self._read(resource, name, namespace)[0] == 200

    def _read(self, resource: str, name: str, namespace: str | None) -> tuple[int, Body]:
        """By HTTP and not by kubectl: tests poll, and kubectl takes 60 ms of a core each time."""
        where = f"{PATHS[resource]}/{name}".format(namespace=namespace or self.namespace)
        return self.api.request("GET", where)

    def delete(self, resource: str, name: str, *, wait: bool = True) -> None:
        uid = self.get(resource, name)["metadata"]["uid"]
        path = f"{PATHS[resource].format(namespace=self.namespace)}/{name}"
        code, answer = self.api.request("DELETE", path)
        assert code in (200, 202), answer

        def gone() -> bool:
            """It may be there again already, as another one."""
            code, body = self._read(resource, name, None)
            return code == 404 or body.get("metadata", {}).get("uid") not in (uid, None)

        if wait:
            wait_until(gone, timeout=60, what=f"{resource} {name} to be gone")

    def delete_registry(self, name: str) -> None:
        """Deletes it and plays the garbage collector for the children that it owned."""
        self.delete(LREG, name)
        for kind in ("configmap", "deployment", "service", "ingress"):
            path = PATHS[kind].format(namespace=self.namespace)
            objects.delete(self.api, f"{path}/{name}-registry")

    def condition(self, name: str, which: str = "Ready") -> Body:
        conditions = self.get(LREG, name).get("status", {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == which), {})

    def wait_for(
        self,
        name: str,
        which: str,
        expected: str,
        *,
        timeout: float = PATIENCE,
        status: str | None = None,
    ) -> Body:
        """Until the condition has this reason (and status); returns the condition."""
        found: Body = {}

        def reached() -> bool:
            nonlocal found
            found = self.condition(name, which)
            return found.get("reason") == expected and found.get("status") == (
                status or found.get("status")
            )

        try:
            wait_until(reached, timeout=timeout, what=f"{name}: {which} {expected}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {found}") from None
        return found

    def wait_for_children(self, name: str) -> None:
        """Until the last child is there. The time is that of the operator's start too."""
        ingress = f"{name}-registry"
        wait_until(lambda: self.exists("ingress", ingress), timeout=PATIENCE, what="the children")

    def wait_quiet(self) -> None:
        """Until the operator has come to rest: it has asked nothing for QUIET_SECONDS, and not
        because it had no time yet to notice what was done just before."""
        time.sleep(QUIET_SECONDS)
        deadline = time.monotonic() + 2 * PATIENCE
        while last := self.requests(time.monotonic() - QUIET_SECONDS):
            assert time.monotonic() < deadline, f"no rest: {last[-1]['requestURI']}"
            time.sleep(QUIET_SECONDS / 4)

    def wait_for_events(self, namespace: str, is_told: Callable[[list[Body]], bool]) -> list[Body]:
        """A namespace's Events, once they tell it: they are posted after what they tell of."""
        found: list[Body] = []

        def reached() -> bool:
            nonlocal found
            found = self.api.get("events.events.k8s.io", "-n", namespace)["items"]
            return is_told(found)

        wait_until(reached, timeout=PATIENCE, what="the Event")
        return found

    def patch_status(self, resource: str, name: str, status: Body) -> None:
        path = f"{PATHS[resource]}/{name}/status".format(namespace=self.namespace)
        merge = "application/merge-patch+json"
        code, answer = self.api.request("PATCH", path, {"status": status}, content_type=merge)
        assert code == 200, answer

    def bring_up(self, name: str) -> None:
        """Plays volume controller and kubelet: binds the claim, serves a registry, says so."""
        child = f"{name}-registry"
        # An operator that has just been started needs some seconds, on a busy machine many.
        wait_until(
            lambda: self.exists("service", child), timeout=PATIENCE, what=f"the children of {name}"
        )
        if self.exists("pvc", child):
            self.patch_status("pvc", child, {"phase": "Bound", "capacity": {"storage": "20Gi"}})
        self.serve(str(self.get("service", child)["spec"]["clusterIP"]))
        self.mark_available(child)

    def mark_available(self, deployment: str) -> None:
        generation = self.get("deployment", deployment)["metadata"]["generation"]
        running = {"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1}
        ready = {"readyReplicas": 1, "availableReplicas": 1}
        self.patch_status("deployment", deployment, running | ready)

    def serve(self, address: str) -> None:
        """The real registry engine on a cluster IP, which is one of loopback here."""
        folder = self.folder(address)
        folder.mkdir(exist_ok=True)
        config = folder / "config.yml"
        config.write_text(
            yaml.safe_dump(
                {
                    "version": 0.1,
                    "log": {"level": "error", "accesslog": {"disabled": True}},
                    "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
                    "http": {"addr": f"{address}:{self.registry_port}", "secret": "s"},
                }
            )
        )
        os.environ.setdefault("OTEL_TRACES_EXPORTER", "none")
        program = binaries("registry") / "registry"
        process = Process.start("registry", [program, "serve", config], folder / "log")
        self.registries.append(process)

    def folder(self, address: str) -> Path:
        """Of the registry at this address; below it, `data` is its volume."""
        return self.api.directory / f"registry-{address}"

    def measure(self, address: str) -> Process:
        """The second container of that registry's pod. Without it nobody says what is used."""
        folder = self.folder(address)
        command: list[str | Path] = [
            *("/usr/bin/env", f"PYTHONPATH={REPOSITORY / 'operator'}"),
            *(sys.executable, "-OO", "-m", "localregistry.cli", "usage"),
            *("--root", folder / "data", "--listen", address),
            *("--port", str(self.usage_port), "--page-port", str(self.page_port)),
        ]
        process = Process.start("usage", command, folder / "usage.log")
        self.registries.append(process)
        return process

    def add_node(self, name: str, **options: Any) -> NodeStandIn:
        index = len(self.nodes) + 1
        node = NodeStandIn.join(self.api, self.agent_port, name, index=index, **options)
        self.nodes[name] = node
        return node

    def trusted(self) -> TrustDocument:
        """What nodes are told to trust."""
        body = self.get("configmap", "node-trust", SYSTEM)
        return TrustDocument.from_json(body["data"][DOCUMENT_KEY])

    def writes(self, since: float) -> list[Body]:
        """The operator's mutating requests since then (monotonic), but those on its Lease."""
        return [event for event in self.requests(since) if event["verb"] in MUTATING]

    def requests(self, since: float) -> list[Body]:
        start = time.time() - (time.monotonic() - since)
        found = []
        # What was received since then has ended since then.
        for event in self.api.audit(since=start):
            if not event.get("userAgent", "").startswith(OPERATOR):
                continue
            # All but its own Lease: a list, at its start, is of those of other installs.
            if (event.get("objectRef") or {}).get("resource") == "leases" and event[
                "verb"
            ] != "list":
                continue
            if epoch(event["requestReceivedTimestamp"]) >= start:
                found.append(event)
        return found

    def stop(self) -> None:
        """Ends all processes and takes nothing away: for an API server that ends as well."""
        if self.operator:
            self.operator.process.stop()
        for node in self.nodes.values():
            node.stop()
        for process in self.registries:
            process.stop(kill=True)

    def close(self) -> None:
        """Takes everything away again, with the operator's help where it runs."""
        for node in self.nodes.values():
            node.stop()
        for process in self.registries:
            process.stop(kill=True)
        objects.delete(self.api, "/api/v1/nodes")
        objects.delete(self.api, f"/api/v1/namespaces/{SYSTEM}/pods")
        if self.operator:
            self.operator.process.stop()
        self.strip_finalizers()
        for item in self._registries():
            objects.delete(self.api, _path(item))
        for resource, name in (
            ("configmap", "node-trust"),
            ("daemonset", "node-agent"),
            ("lease", "localregistry-operator"),
        ):
            where = PATHS[resource].format(namespace=SYSTEM)
            objects.delete(self.api, f"{where}/{name}")

    def strip_finalizers(self) -> None:
        for item in self._registries():
            objects.patch(self.api, _path(item), {"metadata": {"finalizers": None}})

    def _registries(self) -> list[Body]:
        """Of all namespaces."""
        answers = []

        def answered() -> bool:
            """429 just after the CRD came back; kubectl would wait as well."""
            answers.append(self.api.request("GET", EVERYWHERE))
            return answers[-1][0] == 200

        wait_until(answered, timeout=PATIENCE, what="the list of LocalRegistries")
        return list(answers[-1][1]["items"])


def _path(registry: Body) -> str:
    meta = registry["metadata"]
    return f"{PATHS[LREG].format(namespace=meta['namespace'])}/{meta['name']}"


MUTATING = ("create", "update", "patch", "delete", "deletecollection")


def new_lab(api: ApiServer, namespace: str) -> Lab:
    """A lab without an operator yet."""
    install(api)
    return Lab(
        api=api,
        operator_kubeconfig=api.service_account_kubeconfig(SYSTEM, "localregistry"),
        agent_port=free_port(),
        registry_port=free_port(),
        usage_port=free_port(),
        page_port=free_port(),
        namespace=namespace,
    )


def open_lab(api: ApiServer, namespace: str, *, node: str = "") -> Iterator[Lab]:
    """The same; closed at the end. With a `node` that one has joined, and an operator runs."""
    lab = new_lab(api, namespace)
    try:
        if node:
            lab.add_node(node)
            lab.start_operator()
        yield lab
    finally:
        lab.close()
