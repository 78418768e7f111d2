"""One LocalRegistry that always fails does not slow the others."""

from __future__ import annotations

import time

import pytest

from faults.world import World
from localregistry.spec import names

POISON = "/dev-poison"
# Per LocalRegistry, on two busy cores; 100 without poison are what the bench measures.
SECONDS_EACH = 1.0


@pytest.mark.parametrize("count", [10, pytest.param(100, marks=pytest.mark.long)])
def test_one_that_always_fails_slows_none_of_the_others(world: World, count: int) -> None:
    world.reset(first=False)
    api, path = world.lab.api, world.path
    world.proxy.broken = "-poison-registry"
    every = ["poison", *(f"many-{i}" for i in range(count - 1))]
    try:
        started = time.monotonic()
        for name in every:
            meta = {"name": f"dev-{name}", "namespace": world.lab.namespace}
            body = {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": meta,
                "spec": {"host": f"{name}.example.internal"},
            }
            code, answer = api.request("POST", path, body)
            assert code == 201, answer
        deadline = started + 15 + count * SECONDS_EACH
        while (ready := _ready(world)) < count - 1:
            assert time.monotonic() < deadline, f"{ready} of {count - 1} in time"
            time.sleep(0.2)
        failed = [write for write in world.proxy.writes if write.path.endswith("-poison-registry")]
        assert failed, "it never failed, so nothing was seen"
        assert len(failed) < 60, "it is tried again and again without a pause"
    finally:
        world.proxy.broken = None
        for name in every:
            api.request("DELETE", f"{path}/dev-{name}")
        world.settle(lambda world: not api.request("GET", path)[1]["items"])
        world.reset(first=False)


def _ready(world: World) -> int:
    _, body = world.lab.api.request("GET", world.path)
    return sum(
        c["type"] == "Ready" and c["status"] == "True"
        for item in body["items"]
        for c in item.get("status", {}).get("conditions", [])
    )
