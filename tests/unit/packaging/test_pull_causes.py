"""Every cause of a failed pull that a condition can name has its cure in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from localregistry.controller.pullwords import Cause


def test_the_page_has_a_line_for_each_cause_and_for_no_other(root: Path) -> None:
    page = (root / "docs/reference/troubleshooting.md").read_text()
    section = page.split("### Pods could not pull\n")[1].split("\n### ")[0]
    rows = re.findall(r"^\| (`[^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
    named = [name for first, _ in rows for name in re.findall(r"`([^`]+)`", first)]
    assert sorted(named) == sorted(cause.split(" (")[0] for cause in Cause)
    assert all(cure.strip() for _, cure in rows)
