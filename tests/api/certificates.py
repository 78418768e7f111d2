"""Keys and certificates of a throw-away API server, by the openssl command (3.0 or newer)."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True)
class Pki:
    """Paths of PEM files."""

    ca: Path
    server: Path
    server_key: Path
    accounts_key: Path
    accounts_public: Path


def make(directory: Path) -> Pki:
    """A CA, a server certificate for loopback, and the key that signs ServiceAccount tokens."""
    directory.mkdir(parents=True, exist_ok=True)
    pki = Pki(
        ca=directory / "ca.crt",
        server=directory / "server.crt",
        server_key=directory / "server.key",
        accounts_key=directory / "accounts.key",
        accounts_public=directory / "accounts.pub",
    )
    ca_key = directory / "ca.key"
    # Python 3.13 refuses a CA without keyUsage.
    _openssl(
        *("req", "-x509", *_EC, "-subj", "/CN=test-ca", "-keyout", ca_key, "-out", pki.ca),
        *("-addext", "basicConstraints=critical,CA:TRUE"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    _openssl(
        *("req", "-x509", *_EC, "-CA", pki.ca, "-CAkey", ca_key, "-subj", "/CN=kube-apiserver"),
        *("-keyout", pki.server_key, "-out", pki.server),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
        *("-addext", "extendedKeyUsage=serverAuth"),
    )
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", pki.accounts_key)
    _openssl("ec", "-in", pki.accounts_key, "-pubout", "-out", pki.accounts_public)
    return pki


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(
        ["openssl", *(str(part) for part in arguments)], capture_output=True, text=True, timeout=30
    )
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
