"""The way of people and CI to a registry, from this machine: its DNS, then one GET.

The GET announces a body of 1 GiB and never sends it. What limits the size of bodies refuses it
there and then with 413, since it looks at the announcement; most others answer the GET. What waits
for a body all the same, as Traefik does, is asked once more without one.
"""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass

from localregistry.commands.cluster import Body

# Labels of the pods of nginx's two controllers, as their charts set them, and of Traefik, which
# serves the first one's class to those who moved.
CONTROLLERS = "app.kubernetes.io/name in (ingress-nginx,nginx-ingress,traefik)"
SECONDS = 5.0
# Larger than any limit that somebody sets on purpose, and smaller than what nginx cannot parse.
ANNOUNCED = 1 << 30


@dataclass(frozen=True)
class Answer:
    """`addresses`: what this machine resolves the host to, none where it does not. `asked`: where
    the GET went; `status` 0 where nothing answered, and then `words` say why."""

    addresses: tuple[str, ...]
    asked: str = ""
    status: int = 0
    is_registry: bool = False
    location: str = ""
    words: str = ""


def knock(registry: Body, ingress: Body, *, port: int) -> Answer:
    """Asks the host where this machine resolves it to, else the Ingress's own address."""
    host = str(registry["spec"]["host"]).partition(":")[0]
    addresses = _resolved(host)
    target = addresses[0] if addresses else _address(ingress)
    if not target:
        return Answer(addresses)
    if (ingress.get("spec") or {}).get("tls"):
        # Whether its certificate is trusted is between the client and the certificate.
        return Answer(addresses, target)
    try:
        try:
            return _ask(addresses, target, host, port, announced=ANNOUNCED)
        except TimeoutError:
            return _ask(addresses, target, host, port)
    except (OSError, http.client.HTTPException) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        return Answer(addresses, target, words=words)


def _ask(
    addresses: tuple[str, ...], target: str, host: str, port: int, *, announced: int = 0
) -> Answer:
    connection = http.client.HTTPConnection(target, port, timeout=SECONDS)
    try:
        connection.putrequest("GET", "/v2/", skip_host=True)
        connection.putheader("Host", host)
        if announced:
            connection.putheader("Content-Length", str(announced))
            connection.putheader("Expect", "100-continue")
        connection.endheaders()
        answer = connection.getresponse()
        version = answer.getheader("Docker-Distribution-Api-Version") or ""
        location = answer.getheader("Location") or ""
        return Answer(addresses, target, answer.status, "registry/2" in version, location)
    finally:
        connection.close()


def _resolved(host: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _address(ingress: Body) -> str:
    entries = ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return str((entries[0].get("ip") or entries[0].get("hostname") or "") if entries else "")
