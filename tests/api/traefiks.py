"""Traefik as a process, with its provider that reads ingress-nginx's annotations, in front of the
real registry engine; what leads from one to the other are the operator's Ingress and Service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from api import objects
from api.apiserver import binaries
from api.lab import Lab
from api.people import outward
from api.processes import Process, free_port, wait_until
from e2e.fronts import answers
from e2e.pushes import Way

CLASS = "traefik"
CONTROLLER = "localregistry.dev/traefik"


@dataclass
class Traefik:
    """`folder` is where it would keep what it does not pass on."""

    process: Process
    address: str
    port: int
    tls_port: int
    folder: Path

    def way(self, host: str, *, tls: bool = False) -> Way:
        """As a client asks that is told the port, since the usual ones are not to be had here."""
        port = self.tls_port if tls else self.port
        return Way(self.address, port, f"{host}:{port}", tls)

    def kept(self) -> int:
        """Bytes in its folder, and in files that it has open and nobody can see any more."""
        total = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                found, file = str(link.readlink()), link.stat()
            except FileNotFoundError:
                continue
            if found.startswith("/") and file.st_nlink == 0:
                total += file.st_size
        return total


@contextmanager
def traefik(lab: Lab, options: Sequence[str]) -> Iterator[Traefik]:
    """Serves the class until the block ends. `options` say more of the entry point `web`."""
    objects.apply(
        lab.api,
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": CLASS},
            "spec": {"controller": CONTROLLER},
        },
    )
    # The API takes none of loopback for an endpoint.
    address, port, tls_port = outward(), free_port(), free_port()
    folder = lab.api.directory / f"traefik-{port}"
    (folder / "tmp").mkdir(parents=True)
    provider = "--providers.kubernetesingressnginx"
    command: list[str | Path] = [
        *("/usr/bin/env", f"KUBECONFIG={lab.api.kubeconfig}", f"TMPDIR={folder / 'tmp'}"),
        *(binaries("traefik") / "traefik", "--log.level=INFO"),
        *(f"--entrypoints.web.address={address}:{port}", *options),
        f"--entrypoints.websecure.address={address}:{tls_port}",
        *(provider, f"{provider}.controllerclass={CONTROLLER}"),
        *(f"{provider}.httpentrypoint=web", f"{provider}.httpsentrypoint=websecure"),
        f"{provider}.publishstatusaddress={address}",
        *("--global.checknewversion=false", "--global.sendanonymoususage=false"),
    ]
    process = Process.start("traefik", command, folder / "log")
    try:
        yield Traefik(process, address, port, tls_port, folder / "tmp")
    finally:
        process.stop()
        objects.delete(lab.api, f"/apis/networking.k8s.io/v1/ingressclasses/{CLASS}")


@contextmanager
def engine(lab: Lab, name: str, address: str) -> Iterator[Path]:
    """The registry engine with the configuration of a LocalRegistry's ConfigMap, as the endpoint of
    its Service; the folder of its data."""
    lab.wait_for_children(name)
    child, port = f"{name}-registry", free_port()
    folder = lab.api.directory / f"{lab.namespace}-{name}"
    folder.mkdir()
    config = yaml.safe_load(lab.get("configmap", child)["data"]["config.yml"])
    config["storage"]["filesystem"]["rootdirectory"] = str(folder / "data")
    config["http"]["addr"] = f"{address}:{port}"
    config["http"]["debug"]["addr"] = f"127.0.0.1:{free_port()}"
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    program = binaries("registry") / "registry"
    command: list[str | Path] = [
        *("/usr/bin/env", "OTEL_TRACES_EXPORTER=none", program, "serve", folder / "config.yml")
    ]
    process = Process.start("registry", command, folder / "log")
    objects.apply(
        lab.api,
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": child,
                "namespace": lab.namespace,
                "labels": {"kubernetes.io/service-name": child},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [
                {"name": served["name"], "port": port, "protocol": "TCP"}
                for served in lab.get("service", child)["spec"]["ports"]
            ],
        },
    )
    try:
        yield folder / "data"
    finally:
        process.stop(kill=True)


def wait_served(way: Way) -> None:
    """Until a client is answered by the registry."""
    wait_until(lambda: answers(way), timeout=30, what=f"Traefik to serve {way.url}")
