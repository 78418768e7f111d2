"""Runs while the base image is built: keep the machine's certificates that Debian lacks."""

import sys
from pathlib import Path

_END = "-----END CERTIFICATE-----"
_BEGIN = "-----BEGIN CERTIFICATE-----"


def certificates(bundle: str) -> list[str]:
    """Split a PEM bundle, without the comments between its certificates."""
    return [
        part[part.index(_BEGIN) :] + _END + "\n"
        for part in bundle.split(_END)[:-1]
        if _BEGIN in part
    ]


def main(path: str) -> None:
    """Write each certificate that the image does not have where update-ca-certificates looks."""
    known = set(certificates(Path("/etc/ssl/certs/ca-certificates.crt").read_text()))
    for number, pem in enumerate(certificates(Path(path).read_text())):
        if pem not in known:
            Path(f"/usr/local/share/ca-certificates/machine-{number}.crt").write_text(pem)


if __name__ == "__main__":
    main(sys.argv[1])
