"""Somebody at a terminal: runs commands with rights of their own, against a real API server.

The API server's proxy leads to no address of loopback, so what is behind it in these tests listens
on the machine's own address.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.apiserver import REPOSITORY, ApiServer
from api.lab import Lab
from api.processes import wait_until

Rule = tuple[str, str, str]

# What docs/reference/cli.md says that `status` needs for all that it shows.
READER: tuple[Rule, ...] = (
    ("localregistry.dev", "localregistries", "get,list"),
    ("", "nodes", "list"),
    ("", "services/proxy", "get"),
)
AGENT: str = "localregistry-cli/"


@dataclass(frozen=True)
class Person:
    """One user; `run` is a command line of theirs."""

    kubeconfig: Path
    user: str

    @classmethod
    def with_rights(cls, api: ApiServer, namespace: str, name: str, *rules: Rule) -> Person:
        """A ServiceAccount of this namespace, bound to these rules in the whole cluster."""
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": f"{namespace}-{name}"},
            "rules": [
                {"apiGroups": [group], "resources": [resource], "verbs": verbs.split(",")}
                for group, resource, verbs in rules
            ],
        }
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
        binding = {
            **{key: role[key] for key in ("apiVersion", "metadata")},
            "kind": "ClusterRoleBinding",
            "roleRef": reference | {"name": f"{namespace}-{name}"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
        api.kubectl("apply", "-f", "-", input=[role, binding])
        user = f"system:serviceaccount:{namespace}:{name}"
        return cls(api.service_account_kubeconfig(namespace, name), user)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command(arguments)], capture_output=True, text=True, timeout=120, check=False
        )

    def asked(self, api: ApiServer) -> list[dict[str, Any]]:
        """What they have asked the API server by these commands; other tests share it."""
        events = api.audit(user_agent=AGENT)
        return [event for event in events if event["user"]["username"] == self.user]

    def command(self, arguments: Sequence[str]) -> list[str]:
        return [
            *("/usr/bin/env", f"PYTHONPATH={REPOSITORY / 'operator'}"),
            *(f"KUBECONFIG={self.kubeconfig}", "PYTHONWARNINGS=error::ResourceWarning"),
            *(sys.executable, "-m", "localregistry.cli", *arguments),
        ]


def outward() -> str:
    """The machine's own address, by which it would reach others; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))
        return str(probe.getsockname()[0])


def behind_service(lab: Lab, name: str) -> str:
    """Serves a registry and its second container where the API server's proxy finds them; plays
    the controller of its endpoints. The address."""
    address, child = outward(), f"{name}-registry"
    lab.serve(address)
    data = lab.folder(address) / "data"
    data.mkdir(exist_ok=True)
    lab.measure(address)
    _pod(lab.api, lab.namespace, child, address)
    target = {"kind": "Pod", "name": child, "namespace": lab.namespace}
    ports = [
        {"name": "http", "port": lab.registry_port, "protocol": "TCP"},
        {"name": "usage", "port": lab.usage_port, "protocol": "TCP"},
        {"name": "page", "port": lab.page_port, "protocol": "TCP"},
    ]
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": child, "namespace": lab.namespace},
        "subsets": [{"addresses": [{"ip": address, "targetRef": target}], "ports": ports}],
    }
    lab.api.kubectl("apply", "-f", "-", input=endpoints)
    for port in (lab.registry_port, lab.usage_port, lab.page_port):
        wait_until(lambda port=port: _listens(address, port), timeout=30, what=f"port {port}")  # type: ignore[misc]
    return address


def _pod(api: ApiServer, namespace: str, name: str, address: str) -> None:
    """The API server leads to an address only where a pod has it."""
    meta = {"name": name, "namespace": namespace}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
    spec = {"serviceAccountName": name, "automountServiceAccountToken": False}
    containers = {"containers": [{"name": "registry", "image": "registry"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec | containers}
    api.kubectl("apply", "-f", "-", input=[account, pod])
    patch = json.dumps({"status": {"podIP": address, "podIPs": [{"ip": address}]}})
    command = ("patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge")
    api.kubectl(*command, "-p", patch)


def push(address: str, port: int, repository: str, tag: str, layer: bytes) -> str:
    """An image of one layer; the digest of its manifest."""
    config = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
    blobs: list[dict[str, Any]] = []
    for content in (config, layer):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        where = _send(address, port, "POST", f"/v2/{repository}/blobs/uploads/", b"", "")
        mark = "&" if "?" in where else "?"
        _send(address, port, "PUT", f"{where}{mark}digest={digest}", content, "")
        blobs.append({"digest": digest, "size": len(content)})
    kind = "application/vnd.oci.image.manifest.v1+json"
    parts = ("config", "layer.v1.tar")
    for blob, part in zip(blobs, parts, strict=True):
        blob["mediaType"] = f"application/vnd.oci.image.{part}"
    body = {"schemaVersion": 2, "mediaType": kind, "config": blobs[0], "layers": blobs[1:]}
    manifest = json.dumps(body).encode()
    _send(address, port, "PUT", f"/v2/{repository}/manifests/{tag}", manifest, kind)
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def _send(address: str, port: int, method: str, where: str, body: bytes, kind: str) -> str:
    connection = http.client.HTTPConnection(address, port, timeout=30)
    path = where.removeprefix(f"http://{address}:{port}")
    connection.request(method, path, body, {"Content-Type": kind or "application/octet-stream"})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status in (201, 202), content
    location = answer.getheader("Location") or ""
    connection.close()
    return location


def _listens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0
