"""Commands of the documentation that need no cluster: make, the programs here, `render`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

from documented.runner import Documented, Shell
from localregistry.resources.children import CHILDREN

PROGRAMS = Shell(path=(Path(sys.executable).parent,))
# The virtualenv of this run, wherever it is.
PYTHON = {".venv/bin/python": sys.executable}


def test_every_target_of_make_is_there(documented: Documented, root: Path) -> None:
    """Targets that run the tests, this one included, are looked up with all that they depend on,
    and each command of theirs is printed (`make -n`); none is run here."""
    while documented.waiting:
        block = documented.next
        others = [line for line in block.text.splitlines() if not line.startswith("make")]
        assert not others or others == ["git diff tests/golden"], block.place
        [ran] = documented.run(PROGRAMS, replace={"make": "make -n"})
        assert re.search(r"python|-m|rm -rf|awk", ran.said), block.place


def test_a_program_of_the_repository_lists_its_options(documented: Documented) -> None:
    [ran] = documented.run(PROGRAMS, replace=PYTHON)
    assert "--short" in ran.said


def test_an_interleaving_is_chosen_by_its_seed(documented: Documented) -> None:
    """Collected and not run: it takes root, and minutes."""
    [ran] = documented.run(PROGRAMS, replace=PYTHON | {"-k many": "-k many --collect-only -q"})
    assert "test_many_interleavings_end_well" in ran.said


def test_a_part_of_the_tests_is_run(documented: Documented) -> None:
    [ran] = documented.run(PROGRAMS, replace=PYTHON)
    counts = [int(number) for number in re.findall(r"(\d+) passed", ran.said)]
    assert len(counts) == 2
    assert min(counts) >= 1


def test_render_prints_what_would_be_applied(documented: Documented) -> None:
    [ran] = documented.run(PROGRAMS)
    kinds = [document["kind"] for document in yaml.safe_load_all(ran.said)]
    assert len(kinds) == len(CHILDREN)
    assert kinds[0] == "ConfigMap"
