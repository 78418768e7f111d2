"""Our drop-ins, read by the library that CRI-O pulls with: skopeo is a thin shell around it."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kind import debian, progress
from localregistry.agent import cridropin, files
from localregistry.trust import Probe, TrustedRegistry

NAME = "registry.example.internal"

DOCKER = "application/vnd.docker"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": f"{DOCKER}.distribution.manifest.v2+json",
        "config": {
            "mediaType": f"{DOCKER}.container.image.v1+json",
            "size": 2,
            "digest": f"sha256:{hashlib.sha256(b'{}').hexdigest()}",
        },
        "layers": [],
    }
).encode()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Registry)
        server.asked.append(f"{self.headers['Host']}{self.path}")
        body = MANIFEST if "/manifests/" in self.path else b"{}"
        self.send_response(200)
        self.send_header("Content-Type", f"{DOCKER}.distribution.manifest.v2+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Registry(http.server.ThreadingHTTPServer):
    """Serves one manifest under every name, by plain http on loopback."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@pytest.fixture
def server() -> Iterator[Registry]:
    with Registry() as started:
        yield started
        started.shutdown()


class Home:
    """A directory of containers/image's configuration, and pulls by it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.drop_ins = directory / ".config/containers/registries.conf.d"
        self.drop_ins.mkdir(parents=True)
        (self.drop_ins.parent / "registries.conf").write_text("")

    def put(self, wanted: TrustedRegistry) -> None:
        for name in wanted.names:
            path = self.drop_ins / cridropin.file_name(name)
            path.write_bytes(cridropin.render(wanted, name))

    def pull(self, image: str) -> str:
        """The error, "" where the manifest came."""
        command = ["skopeo", "--insecure-policy", "inspect", "--raw", f"docker://{image}"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode != 0 or done.stdout == MANIFEST.decode()
        return done.stderr if done.returncode else ""


@pytest.fixture(scope="session")
def skopeo() -> None:
    debian.require("skopeo", progress.Progress(1), otherwise="install it for this test")


@pytest.fixture
def home(tmp_path: Path, skopeo: None) -> Home:
    return Home(tmp_path)


def registry(
    uid: str = "u1",
    *names: str,
    address: str = "127.0.0.1",
    port: int = 80,
    dns: bool = False,
) -> TrustedRegistry:
    probe = Probe(f"{NAME}/localregistry-probe:v1", "sha256:c", "sha256:m")
    return TrustedRegistry(uid, "ns/dev", names or (NAME,), address, port, probe, dns)


def test_a_pull_of_the_name_goes_to_the_service(home: Home, server: Registry) -> None:
    assert home.pull(f"{NAME}/team/app:1")
    home.put(registry(address="127.0.0.1", port=server.port))
    assert home.pull(f"{NAME}/team/app:1") == ""
    assert f"127.0.0.1:{server.port}/v2/team/app/manifests/1" in server.asked


def test_each_name_of_a_registry_is_served(home: Home, server: Registry) -> None:
    long = ".".join(["a" * 60] * 4)
    home.put(registry("u1", NAME, f"{NAME}:5000", long, address="127.0.0.1", port=server.port))
    for name in (NAME, f"{NAME}:5000", long):
        assert home.pull(f"{name}/app:1") == ""


def test_by_dns_a_pull_goes_where_the_name_leads(home: Home, server: Registry) -> None:
    """To a name that every machine resolves, and that the library trusts no more than others."""
    name = f"localhost:{server.port}"
    assert home.pull(f"{name}/team/app:1")
    home.put(registry("u1", name, address="192.0.2.1", dns=True))
    assert home.pull(f"{name}/team/app:1") == ""
    assert server.asked[-1] == f"{name}/v2/team/app/manifests/1"


def test_by_dns_a_name_without_a_port_is_asked_on_port_80(home: Home) -> None:
    home.put(registry("u1", "nowhere.invalid", dns=True))
    error = home.pull("nowhere.invalid/app:1")
    assert "//nowhere.invalid:80/v2/" in error
    assert "lookup nowhere.invalid" in error


def test_a_later_file_of_the_administrator_wins(home: Home, server: Registry) -> None:
    """Therefore it is a conflict: what we write would do nothing."""
    home.put(registry(address="127.0.0.1", port=1))
    his = (
        f'[[registry]]\nprefix = "{NAME}"\nlocation = "127.0.0.1:{server.port}"\ninsecure = true\n'
    )
    (home.drop_ins / "95-his.conf").write_text(his)
    assert home.pull(f"{NAME}/app:1") == ""
    assert cridropin.prefixes(his.encode()) == {NAME}


def test_a_torn_temporary_file_is_not_read_and_a_torn_drop_in_breaks_all(
    home: Home, server: Registry
) -> None:
    home.put(registry(address="127.0.0.1", port=server.port))
    (home.drop_ins / files.TEMPORARY).write_text("[[reg")
    assert home.pull(f"{NAME}/app:1") == ""
    (home.drop_ins / "20-torn.conf").write_text("[[reg")
    assert "20-torn.conf" in home.pull(f"{NAME}/app:1")
    with pytest.raises(ValueError, match=r"'\]\]'"):
        cridropin.prefixes(b"[[reg")


def test_an_entry_without_a_name_breaks_all_and_is_seen(home: Home, server: Registry) -> None:
    home.put(registry(address="127.0.0.1", port=server.port))
    nameless = "[[registry]]\ninsecure = true\n"
    (home.drop_ins / "20-his.conf").write_text(nameless)
    assert home.pull(f"{NAME}/app:1")
    with pytest.raises(ValueError, match="neither prefix nor location"):
        cridropin.prefixes(nameless.encode())
