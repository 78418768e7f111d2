"""A real etcd and kube-apiserver on loopback, for tests: no kubelet, no scheduler, no network.

    with ApiServer.start(Path("/tmp/x")) as server:
        server.kubectl("get", "namespaces")

All files live below the given directory, all ports are free ones, and every process ends with the
server or, where the test process is killed, with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import urllib3

from api import auditlog, certificates
from api.processes import Process, free_port, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
CRD = REPOSITORY / "crds" / "localregistries.yaml"
ADMIN_TOKEN = "admin-of-a-throw-away-api-server"

# Who did what, without bodies; of LocalRegistries and of what nodes are told also what was sent and
# answered.
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
        {"level": "None", "users": ["system:apiserver"]},
        {
            "level": "RequestResponse",
            "resources": [{"group": "localregistry.dev", "resources": ["localregistries*"]}],
        },
        {
            "level": "RequestResponse",
            "resources": [{"resources": ["configmaps"], "resourceNames": ["node-trust"]}],
        },
        {"level": "Metadata"},
    ],
}


def binaries(*names: str) -> Path:
    """The directory that holds the named Kubernetes programs; built and cached where absent."""
    command = [sys.executable, "-m", "kind", "tools", *names]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    # Cold, kube-apiserver alone takes five minutes on two cores.
    built = subprocess.run(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True, timeout=3600
    )
    if built.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:])} failed; its output stands above")
    return Path(built.stdout.strip().splitlines()[-1])


@dataclass
class ApiServer:
    """One running API server; `url` and `kubeconfig` are an administrator's."""

    directory: Path
    url: str
    kubeconfig: Path
    audit_log: Path
    bin: Path
    ca: Path
    _processes: list[Process] = field(default_factory=list)

    @classmethod
    def start(
        cls, directory: Path, *, with_controller_manager: bool = False, controllers: str = "*"
    ) -> ApiServer:
        """Returns when /readyz answers ok, some seconds later; `controllers` as the controller
        manager's flag names them."""
        names = ["etcd", "kube-apiserver", "kubectl"]
        if with_controller_manager:
            names.append("kube-controller-manager")
        programs = binaries(*names)
        directory.mkdir(parents=True, exist_ok=True)
        pki = certificates.make(directory / "pki")
        port = free_port()
        server = cls(
            directory=directory,
            url=f"https://127.0.0.1:{port}",
            kubeconfig=directory / "admin.kubeconfig",
            audit_log=directory / "audit.log",
            bin=programs,
            ca=pki.ca,
        )
        server._write_kubeconfig(server.kubeconfig, ADMIN_TOKEN)
        try:
            etcd_url = server._start_etcd()
            server._start_apiserver(etcd_url, port, pki)
            server.wait_ready()
            if with_controller_manager:
                server._start_controller_manager(pki, controllers)
        except BaseException:
            server.stop()
            raise
        return server

    def __enter__(self) -> ApiServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the processes, the last started first."""
        while self._processes:
            self._processes.pop().stop()

    def process(self, name: str) -> Process:
        """One of the processes, to take it away and bring it back: `etcd`, `kube-apiserver`, …"""
        return next(process for process in self._processes if process.name == name)

    def wait_ready(self) -> None:
        """After a restart: returns when /readyz answers ok."""
        wait_until(self._is_ready, timeout=60, what="kube-apiserver to be ready")

    def kubectl(
        self,
        *arguments: str,
        input: Any = None,  # noqa: A002 - as subprocess.run names it
        kubeconfig: Path | None = None,
        check: bool = True,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl; `input` is text, or an object or a list of objects passed as JSON."""
        config = kubeconfig or self.kubeconfig
        # A cache of its own: the default one is keyed by address, and ports come again.
        cache = self.directory / "kubectl-cache"
        program = (str(self.bin / "kubectl"), f"--kubeconfig={config}", f"--cache-dir={cache}")
        command = [*program, *arguments]
        done = subprocess.run(
            command, input=_as_text(input), capture_output=True, text=True, timeout=timeout
        )
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def get(self, *arguments: str) -> dict[str, Any]:
        """`kubectl get … -o json`, parsed."""
        answer: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)
        return answer

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        user: str = "",
    ) -> tuple[int, dict[str, Any]]:
        """One request as the administrator, a refusal included: (HTTP status, parsed answer).

        A millisecond or two over a kept connection, where kubectl takes 60. With `user` it is
        judged as that one's. Raises ConnectionError where there is no server.
        """
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": content_type}
        if user:
            headers["Impersonate-User"] = user
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self._pool.request(method, self.url + path, body=data, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(f"{method} {path}: {error}") from error
        if answer.status >= 400:
            return answer.status, _refusal(answer.data.decode(errors="replace"))
        return answer.status, json.loads(answer.data)

    def watch(self, path: str, *, seconds: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """What is there and what becomes of it, for so long: ("ADDED", the object), …

        Raises ConnectionError where the server is away or refuses.
        """
        url = f"{self.url}{path}?watch=true&timeoutSeconds={seconds}"
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        try:
            answer = self._pool.request("GET", url, headers=headers, preload_content=False)
            with answer:
                if answer.status != 200:
                    raise ConnectionError(f"GET {path}: {answer.status}")
                for line in answer:
                    event = json.loads(line)
                    yield event["type"], event["object"]
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(f"GET {path}: {error}") from error

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        """For all threads. A request that fails is never made twice: tests count them."""
        return urllib3.PoolManager(
            maxsize=16, retries=False, timeout=30, ca_certs=str(self.ca), cert_reqs="REQUIRED"
        )

    def apply_crd(self) -> None:
        """Applies the CRD and waits until it is served."""
        self.kubectl("apply", "--server-side", "-f", str(CRD))
        name = "crd/localregistries.localregistry.dev"
        self.kubectl("wait", "--for=condition=Established", name, "--timeout=30s")
        # Discovery and the published schema follow a moment later.
        wait_until(
            lambda: self.kubectl("explain", "lreg.spec", check=False).returncode == 0,
            timeout=30,
            what="kubectl to know the CRD",
        )

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a token of the ServiceAccount, which is made where it is absent."""
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        code, answer = self.request("POST", accounts, {"metadata": {"name": name}})
        assert code in (201, 409), answer
        wanted = {"spec": {"expirationSeconds": 24 * 3600}}
        code, answer = self.request("POST", f"{accounts}/{name}/token", wanted)
        assert code == 201, answer
        token = str(answer["status"]["token"])
        path = self.directory / f"{namespace}-{name}.kubeconfig"
        self._write_kubeconfig(path, token)
        return path

    def audit(self, *, user_agent: str = "", since: float = 0.0) -> Iterator[dict[str, Any]]:
        """The audit events so far, of those whose user agent begins with `user_agent`, and which
        ended at `since` (epoch) or later."""
        for event in auditlog.read(self.audit_log, since):
            if str(event.get("userAgent", "")).startswith(user_agent):
                yield event

    def _start_etcd(self) -> str:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._run(
            "etcd",
            {
                "data-dir": self.directory / "etcd",
                "listen-client-urls": client,
                "advertise-client-urls": client,
                "listen-peer-urls": peer,
                "initial-advertise-peer-urls": peer,
                "initial-cluster": f"default={peer}",
                # Nothing has to outlive a power cut here, and disks are slow.
                "unsafe-no-fsync": "true",
                "log-level": "warn",
            },
        )
        return client

    def _start_apiserver(self, etcd_url: str, port: int, pki: certificates.Pki) -> None:
        tokens = self.directory / "tokens.csv"
        tokens.write_text(f'{ADMIN_TOKEN},admin,admin,"system:masters"\n')
        policy = self.directory / "audit-policy.json"
        policy.write_text(json.dumps(_AUDIT_POLICY))
        self._run(
            "kube-apiserver",
            {
                "etcd-servers": etcd_url,
                "bind-address": "127.0.0.1",
                "secure-port": str(port),
                "endpoint-reconciler-type": "none",
                "tls-cert-file": pki.server,
                "tls-private-key-file": pki.server_key,
                "token-auth-file": tokens,
                "authorization-mode": "RBAC",
                "anonymous-auth": "false",
                "allow-privileged": "true",
                # Cluster IPs that lead nowhere but to this machine, where tests can serve them.
                "service-cluster-ip-range": "127.96.0.0/16",
                "service-account-issuer": "https://kubernetes.default.svc",
                "service-account-key-file": pki.accounts_public,
                "service-account-signing-key-file": pki.accounts_key,
                "audit-policy-file": policy,
                "audit-log-path": self.audit_log,
            },
        )

    def _start_controller_manager(self, pki: certificates.Pki, controllers: str) -> None:
        self._run(
            "kube-controller-manager",
            {
                "kubeconfig": self.kubeconfig,
                "bind-address": "127.0.0.1",
                "secure-port": str(free_port()),
                "leader-elect": "false",
                "controllers": controllers,
                "root-ca-file": pki.ca,
                "service-account-private-key-file": pki.accounts_key,
            },
        )

    def _run(self, name: str, flags: Mapping[str, str | Path]) -> None:
        command = [str(self.bin / name), *(f"--{flag}={value}" for flag, value in flags.items())]
        self._processes.append(Process.start(name, command, self.directory / f"{name}.log"))

    def _is_ready(self) -> bool:
        self.process("kube-apiserver").check()
        answer = self.kubectl("get", "--raw", "/readyz", check=False)
        return answer.returncode == 0 and answer.stdout == "ok"

    def _write_kubeconfig(self, path: Path, token: str) -> None:
        cluster = {"server": self.url, "certificate-authority": str(self.ca)}
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user"}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(body, indent=1))
        path.chmod(0o600)


def _refusal(text: str) -> dict[str, Any]:
    """The Status object, or a plain answer (404 page not found) in the shape of one."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return {"message": text.strip()}
    return parsed if isinstance(parsed, dict) else {"message": text.strip()}


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    items = value if isinstance(value, list) else [value]
    return "\n---\n".join(json.dumps(item) for item in items)
