"""A volume that the 2.x engine wrote is served by the 3.x one, and by the 2.x one again after.

Both run with the configuration as rendered, so an image of either may stand in `image`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from api import oldengine
from api.engines import running
from localregistry.resources.probe_image import ProbeImage

OLD, NEW, BACK = (ProbeImage.of(f"engine-{when}") for when in ("old", "new", "back"))


def test_the_old_engine_is_the_one_that_is_meant() -> None:
    program = oldengine.command()[:-1]
    said = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    assert oldengine.VERSION in said.stdout


def test_each_tag_is_pulled_after_the_upgrade_and_after_the_way_back(tmp_path: Path) -> None:
    images = tmp_path / "images"
    with running(tmp_path, images, oldengine.command()) as engine:
        engine.push(OLD, "old")
        engine.push(OLD, "moved")
        assert engine.holds(OLD, "old")
    with running(tmp_path, images) as engine:
        assert engine.holds(OLD, "old")
        assert engine.holds(OLD, "moved")
        engine.push(NEW, "new")
        engine.push(NEW, "moved")
    with running(tmp_path, images, oldengine.command()) as engine:
        assert engine.holds(OLD, "old")
        assert engine.holds(NEW, "new")
        assert engine.holds(NEW, "moved")
        engine.push(BACK, "back")
    with running(tmp_path, images) as engine:
        wanted = {"old": OLD, "new": NEW, "moved": NEW, "back": BACK}
        assert [tag for tag, image in wanted.items() if not engine.holds(image, tag)] == []
