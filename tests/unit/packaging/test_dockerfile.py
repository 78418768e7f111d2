"""The Dockerfile: what both builders understand, in layers that stay cached, as the right user."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Instruction = tuple[str, str]
Stages = dict[str, list[Instruction]]

SOURCE = ("operator", "README.md", "LICENSE")


def instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            keyword, _, rest = line.partition(" ")
            yield keyword, rest.strip()


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def stages(text: str) -> Stages:
    found: Stages = {}
    name = ""
    for keyword, rest in instructions(text):
        if keyword == "FROM":
            name = rest.split(" AS ")[1]
            found[name] = [(keyword, rest)]
        elif name:
            found[name].append((keyword, rest))
    return found


@pytest.fixture(scope="module")
def script(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("manifests/image/requirements.py")


def only(stages: Stages, stage: str, keyword: str) -> Any:
    values = [rest for name, rest in stages[stage] if name == keyword]
    assert len(values) == 1, f"{stage}: {len(values)} × {keyword}"
    return values[0]


def test_the_base_image_can_be_replaced(text: str, stages: Stages) -> None:
    assert "ARG BASE_IMAGE=docker.io/library/python:3.13-slim-trixie\n" in text
    foreign = [only(stages, name, "FROM").split(" AS ")[0] for name in stages]
    assert {image for image in foreign if image not in stages} == {"${BASE_IMAGE}", "scratch"}


@pytest.mark.parametrize(
    "feature",
    [r"^# *syntax", r"--mount", r"<<", r"--link", r"--chmod", r"^ADD"],
    ids=["frontend", "mounts", "here-documents", "linked copies", "copied modes", "ADD"],
)
def test_the_legacy_builder_understands_it_without(text: str, feature: str) -> None:
    assert re.search(feature, text, re.MULTILINE) is None


def test_the_agent_comes_before_the_operators_dependencies(stages: Stages) -> None:
    # The legacy builder builds every stage above its target.
    order = list(stages)
    assert order.index("agent") < order.index("operator-venv")


@pytest.mark.parametrize(
    ("stage", "flags", "command"), [("agent", ["-I", "-OO"], "agent"), ("operator", ["-I"], "run")]
)
def test_the_image_runs_its_subcommand_by_default(
    stages: Stages, stage: str, flags: list[str], command: str
) -> None:
    interpreter, *options = json.loads(only(stages, stage, "ENTRYPOINT"))
    assert interpreter == "/opt/localregistry/bin/python3"
    assert options == [*flags, "-m", "localregistry.cli"]
    assert json.loads(only(stages, stage, "CMD")) == [command]


@pytest.mark.parametrize(("part", "level"), [("agent", " -o 2 "), ("operator", None)])
def test_all_of_an_image_is_compiled_as_it_is_run(
    stages: Stages, part: str, level: str | None
) -> None:
    # What was compiled for another level would be compiled anew at every start.
    for stage in (f"{part}-venv", f"{part}-package"):
        (compiling,) = (r for k, r in stages[stage] if k == "RUN" and "compileall" in r)
        assert (level in compiling) if level else (" -o " not in compiling)


def test_the_operator_is_nobody_and_the_agent_is_root(stages: Stages) -> None:
    assert only(stages, "operator", "USER") == "65532:65532"
    assert only(stages, "agent", "USER") == "0:0"


def test_whatever_runs_in_the_agents_image_is_imported_when_it_is_built(stages: Stages) -> None:
    (command,) = (rest for keyword, rest in stages["agent"] if keyword == "RUN")
    code = json.loads(command)[-1]
    for package in ("agent", "usage"):
        assert f"localregistry.{package} as {package}" in code
    compile(code, "Dockerfile", "exec")


@pytest.mark.parametrize("stage", ["agent", "operator"])
def test_the_image_says_what_it_is(stages: Stages, stage: str) -> None:
    label = only(stages, stage, "LABEL")
    for key in (
        *("title", "description", "licenses"),
        *("version", "revision", "created", "vendor"),
    ):
        assert f"org.opencontainers.image.{key}=" in label
    assert 'licenses="Apache-2.0"' in label


@pytest.mark.parametrize("stage", ["agent", "operator"])
def test_a_changed_source_changes_one_small_layer(stages: Stages, stage: str) -> None:
    copied = [rest for keyword, rest in stages[stage] if keyword == "COPY"]
    assert copied[-1] == f"--from={stage}-package /package /opt/localregistry/package"
    assert not [rest for rest in copied[:-1] if "package" in rest.split()[0]]


def test_what_is_copied_into_an_image_has_the_date_that_was_asked_for(stages: Stages) -> None:
    for image in ("agent", "operator"):
        for keyword, rest in stages[image]:
            if keyword != "COPY":
                continue
            stage = rest.removeprefix("--from=").split()[0]
            assert ("ARG", "SOURCE_DATE_EPOCH=0") in stages[stage], stage
            last = [text for word, text in stages[stage] if word == "RUN"][-1]
            assert '-exec touch -hd "@${SOURCE_DATE_EPOCH}" {} +' in last, stage


def test_pip_compiles_nothing_by_itself(stages: Stages) -> None:
    # What it compiles holds the date of the build, and PIP_NO_COMPILE=1 would have it compile.
    calls = [
        rest
        for steps in stages.values()
        for keyword, rest in steps
        if keyword == "RUN" and " install " in rest
    ]
    assert len(calls) == 4
    assert all(" install --no-compile " in rest for rest in calls)
    assert "PIP_NO_COMPILE=" not in "".join(rest for keyword, rest in stages["base"])


def test_dependencies_are_installed_where_no_source_has_been_copied(stages: Stages) -> None:
    for name in ("venv", "agent-venv", "agent-root", "operator-venv", "requirements"):
        copied = " ".join(rest for keyword, rest in stages[name] if keyword == "COPY").split()
        assert not [source for source in SOURCE if source in copied], name


def test_whatever_is_copied_reaches_the_builder(root: Path, stages: Stages) -> None:
    allowed = [
        line[1:]
        for line in (root / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for steps in stages.values():
        for keyword, rest in steps:
            if keyword != "COPY" or rest.startswith("--from="):
                continue
            for source in rest.split()[:-1]:
                assert any(f"{source}/".startswith(f"{path}/") for path in allowed), source


@pytest.mark.parametrize(
    ("which", "present", "absent"),
    [
        ("agent", ["h2"], ["kopf", "kubernetes", "aiohttp", "pyyaml", "pytest"]),
        ("operator", ["kopf", "kubernetes", "aiohttp", "pyyaml"], ["h2", "pytest", "ruff"]),
        ("build", ["setuptools"], ["kopf", "pytest"]),
    ],
)
def test_each_image_installs_what_pyproject_says(
    root: Path, script: ModuleType, which: str, present: list[str], absent: list[str]
) -> None:
    found = script.requirements((root / "pyproject.toml").read_text(), which)
    names = {re.split(r"[<>=!~\[; ]", line)[0].lower() for line in found}
    assert set(present) <= names
    assert not set(absent) & names


def test_every_runtime_dependency_is_bounded(root: Path, script: ModuleType) -> None:
    text = (root / "pyproject.toml").read_text()
    for line in [*script.requirements(text, "operator"), *script.requirements(text, "agent")]:
        assert ">=" in line, line
        assert "<" in line, line
