"""What was acknowledged is on the device: the power may go at any moment after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.engines import running
from api.powercut import disk
from localregistry.resources.probe_image import ProbeImage

FEW, ALL = 10, 200


@pytest.mark.parametrize(
    "cuts", [pytest.param(FEW, id="few"), pytest.param(ALL, id="all", marks=pytest.mark.long)]
)
def test_a_push_that_was_acknowledged_outlives_a_loss_of_power(tmp_path: Path, cuts: int) -> None:
    images = {f"v{number}": ProbeImage.of(f"power-cut-{number}") for number in range(cuts)}
    with disk(tmp_path) as device, running(tmp_path, device.path / "images") as engine:
        for tag, image in images.items():
            engine.push(image, tag)
            device.cut()
            engine.process.stop(kill=True)
            device.unmount()
            device.mount()
            engine.restart()
            assert engine.holds(image, tag), f"{tag} was acknowledged and is lost"
        assert [tag for tag, image in images.items() if not engine.holds(image, tag)] == []


def test_without_the_acknowledgement_the_cut_takes_what_no_one_synced(tmp_path: Path) -> None:
    """Shows that the cut is one: a file that was written and not synced is gone after it."""
    with disk(tmp_path) as device:
        (device.path / "unsynced").write_bytes(b"x" * 4096)
        device.cut()
        device.unmount()
        device.mount()
        assert not (device.path / "unsynced").exists()
