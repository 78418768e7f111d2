"""Prints one list of requirements of pyproject.toml, for pip: build, operator, agent or release.

The images install from these lists in a layer of their own, which stays cached while the rest of
pyproject.toml changes.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def requirements(pyproject: str, which: str) -> list[str]:
    """Requirement specifiers as they stand in pyproject.toml. KeyError for another `which`."""
    document = tomllib.loads(pyproject)
    project = document["project"]
    lists: dict[str, list[str]] = {
        "build": document["build-system"]["requires"],
        "operator": project["dependencies"],
        "agent": project["optional-dependencies"]["agent"],
        "release": project["optional-dependencies"]["release"],
    }
    return lists[which]


if __name__ == "__main__":
    print("\n".join(requirements(Path(sys.argv[1]).read_text(), sys.argv[2])))
