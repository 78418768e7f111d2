"""`helm test`: the operator answers, is ready, and is of the chart's version. Creates nothing.

python3 check.py http://SERVICE:8080 VERSION
"""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request

# A pod that has just been started waits for the Lease of the one before, 15 s; the rest is for an
# image that is still being pulled.
SECONDS = 60.0


def get(url: str) -> str:
    """The body of a 200; urllib raises for all else."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


def faults(base: str, version: str) -> list[str]:
    """A sentence for each thing that is not as it should be."""
    found = []
    for path in ("/healthz", "/readyz"):
        try:
            get(base + path)
        except urllib.error.HTTPError as error:
            found.append(f"{path}: {error.code} {error.read().decode(errors='replace')}")
        except OSError as error:
            found.append(f"{path}: {error}")
    try:
        if f'localregistry_build_info{{version="{version}"}} 1' not in get(base + "/metrics"):
            found.append(f"/metrics: the operator is not of version {version}")
    except OSError as error:
        found.append(f"/metrics: {error}")
    return found


def main(base: str, version: str, seconds: float = SECONDS) -> int:
    """0 once all is well, 1 where it is not within `seconds`."""
    end = time.monotonic() + seconds
    while found := faults(base, version):
        if time.monotonic() > end:
            print("\n".join(found))
            return 1
        time.sleep(1)
    print(f"The operator is ready, and of version {version}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
