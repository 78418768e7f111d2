"""The runtime's own interface, as the kubelet uses it: the helper process.

    python -I -c … <package root> version|status <socket>
    python -I -c … <package root> probe <socket> <image> <config> <manifest> <seconds>

Prints one line of JSON: `{"ok": {…}}` or `{"error": {"kind", "code", "message"}}`, exit code 0.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from localregistry.agent import wire
from localregistry.agent.grpc import CallError, Channel

IMAGE = "/runtime.v1.ImageService/"
RUNTIME = "/runtime.v1.RuntimeService/"

# Everything but a pull is answered from memory; a busy node may take its time.
SHORT_SECONDS = 5.0


class ForeignImage(Exception):
    """What the registry gave under the probe's name is another image: it is not ours to remove."""


class NotRemoved(Exception):
    """The probe image is still there after its removal."""


def version(channel: Channel) -> dict[str, str]:
    answer = channel.call(RUNTIME + "Version", b"", seconds=SHORT_SECONDS)
    return {"name": wire.text(answer, 2), "version": wire.text(answer, 3)}


def status(channel: Channel) -> dict[str, str]:
    """The verbose status' `info`: on containerd 1.x with the CRI plugin's effective `config`."""
    answer = channel.call(RUNTIME + "Status", wire.message((1, True)), seconds=SHORT_SECONDS)
    return {wire.text(entry, 1): wire.text(entry, 2) for entry in wire.every(answer, 2)}


def probe(
    channel: Channel, *, image: str, identities: frozenset[str], seconds: float
) -> dict[str, str]:
    """Pulls `image` as the kubelet would, with nothing of it there before, and leaves nothing.

    Only what has one of `identities` (the image IDs it may have) is ever removed, and by its ID:
    a name can be another image's too, and containerd drops all names of an ID. An older image
    under the name only loses it by the pull. Raises CallError, ForeignImage, NotRemoved.
    """
    for identity in sorted(identities):
        _remove(channel, identity)
    spec = wire.message((1, image))
    channel.call(IMAGE + "PullImage", wire.message((1, spec)), seconds=seconds)
    pulled = _identity(channel, image)
    if pulled not in identities:
        raise ForeignImage(f"{image} is {pulled or 'nothing'}")
    _remove(channel, pulled)
    if _identity(channel, image):
        raise NotRemoved(f"{image} is still there")
    return {"id": pulled}


def _remove(channel: Channel, identity: str) -> None:
    if not _identity(channel, identity):
        return
    spec = wire.message((1, identity))
    channel.call(IMAGE + "RemoveImage", wire.message((1, spec)), seconds=SHORT_SECONDS)
    # cri-dockerd answers "done" to removals that it does not make.
    if _identity(channel, identity):
        raise NotRemoved(identity)


def _identity(channel: Channel, image: str) -> str:
    spec = wire.message((1, image))
    request = wire.message((1, spec))
    answer = channel.call(IMAGE + "ImageStatus", request, seconds=SHORT_SECONDS)
    return wire.text(wire.first(answer, 1), 1)


def main(argv: list[str]) -> int:
    """One verb; every outcome is a line of JSON, so that the parent needs to know no exit codes."""
    result: dict[str, Any]
    try:
        verb, path, *rest = argv
        channel = Channel(path)
        match verb, rest:
            case "version", []:
                result = {"ok": version(channel)}
            case "status", []:
                result = {"ok": status(channel)}
            case "probe", [image, config, manifest, seconds]:
                identities = frozenset({config, manifest})
                result = {
                    "ok": probe(channel, image=image, identities=identities, seconds=float(seconds))
                }
            case _:
                raise ValueError(f"unknown call {verb!r}")
    except CallError as error:
        result = _error("call", error.message, error.code)
    except ForeignImage as error:
        result = _error("foreign-image", str(error))
    except NotRemoved as error:
        result = _error("not-removed", str(error))
    except ValueError as error:
        result = _error("call", f"the runtime's answer is damaged: {error}")
    print(json.dumps(result), flush=True)
    return 0


def _error(kind: str, message: str, code: int = 2) -> dict[str, Any]:
    return {"error": {"kind": kind, "code": code, "message": message}}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
