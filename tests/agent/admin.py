"""What an administrator has on a node, and does to it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from agent.node import NAME, Node

# Formatting that no serialiser would write; each byte must survive.
DAEMON_JSON = (
    '{\n\t"shutdown-timeout" : 15,\n\n  "insecure-registries":["mine.example:5000"  ],\n'
    '      "max-concurrent-downloads": 4, "labels": ["a=\\u00e9"]\n}'
)
MINE = "mine.example:5000"
HOSTS = "127.0.0.1 localhost\n# the printer\n10.1.2.3\tprinter # by hand\n"
HOSTS_TOML = '# by hand\nserver = "http://mine.example"\n[host."http://10.1.2.3:5000"]\n'


@dataclass(frozen=True)
class Admin:
    """The administrator of one node."""

    node: Node

    @property
    def own_hosts_toml(self) -> str:
        return f"{self.node.runtime.certs_path}/mine.example/hosts.toml"

    def settle_in(self) -> None:
        """Files of his own, before any agent; the runtime has read them."""
        machine = self.node.machine
        machine.write("/etc/hosts", HOSTS)
        if self.node.kind.engine == "docker":
            machine.write(self.node.runtime.config_path, DAEMON_JSON)
            self.node.runtime.restart()
        if not self.node.kind.graphdriver:
            machine.write(self.own_hosts_toml, HOSTS_TOML)
        self.node.pristine = machine.files()

    def edit(self) -> None:
        """An edit while the agent is at work: he reads what is there, and adds to it."""
        machine = self.node.machine
        hosts = machine.read("/etc/hosts") or b""
        machine.write("/etc/hosts", b"10.9.9.9\tscanner\n" + hosts)
        if self.node.kind.graphdriver:
            path = self.node.runtime.config_path
            body = json.loads(machine.read(path) or b"{}")
            body["insecure-registries"] = [*body.get("insecure-registries", ()), "late.example"]
            body["debug"] = True
            machine.write(path, json.dumps(body, indent=8))
        else:
            machine.write(f"{self.node.runtime.certs_path}/late.example/hosts.toml", HOSTS_TOML)

    def undo_ours(self) -> None:
        """He takes the agent's work away."""
        machine = self.node.machine
        if self.node.kind.graphdriver:
            path = self.node.runtime.config_path
            body = json.loads(machine.read(path) or b"{}")
            body["insecure-registries"].remove(NAME)
            machine.write(path, json.dumps(body))
        else:
            machine.write(self.node.trust_file, None)

    def add(self, number: int) -> None:
        """One of many edits, each of a line in a file that the agent writes too."""
        machine = self.node.machine
        hosts = machine.read("/etc/hosts") or b""
        machine.write("/etc/hosts", hosts + b"10.9.8.%d\thost-%d\n" % (number, number))
        if self.node.kind.graphdriver:
            body = json.loads(machine.read(self.node.runtime.config_path) or b"{}")
            body.setdefault("insecure-registries", []).append(f"host-{number}.example")
            machine.write(self.node.runtime.config_path, json.dumps(body))

    def added(self) -> set[int]:
        """The numbers of those edits that are all there."""
        machine = self.node.machine
        words = set((machine.read("/etc/hosts") or b"").decode().split())
        found = {n for n in range(100) if f"host-{n}" in words}
        if self.node.kind.graphdriver:
            body = json.loads(machine.read(self.node.runtime.config_path) or b"{}")
            listed = set(body["insecure-registries"])
            found = {n for n in found if f"host-{n}.example" in listed}
        return found

    def edited(self) -> bool:
        """Whether his edit is all there."""
        machine = self.node.machine
        hosts = (machine.read("/etc/hosts") or b"").startswith(b"10.9.9.9\tscanner\n")
        if not self.node.kind.graphdriver:
            path = f"{self.node.runtime.certs_path}/late.example/hosts.toml"
            return hosts and machine.read(path) == HOSTS_TOML.encode()
        body = json.loads(machine.read(self.node.runtime.config_path) or b"{}")
        return hosts and body.get("debug") is True and "late.example" in body["insecure-registries"]
