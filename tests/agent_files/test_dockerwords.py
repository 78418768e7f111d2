"""dockerd's own program is asked, in the node's root: only root changes its root directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from localregistry.agent import dockerwords
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Process


@pytest.mark.parametrize(
    ("program", "version", "words"),
    [
        ("/bin/true", "26.1.5", ""),
        ("/bin/ls", "26.1.5", "unrecognized option '--validate'"),
        ("/bin/ls", "20.10.24", ""),
        ("/nonexistent/dockerd", "26.1.5", ""),
    ],
    ids=["a valid file", "a refusal", "before there was the flag", "no such program"],
)
def test_the_daemons_own_program_is_asked(program: str, version: str, words: str) -> None:
    process = Process(1, "dockerd", (program, "--flag"))
    answer = dockerwords.ask(HostRoot(Path("/")), process, version)
    assert words in answer
    assert bool(answer) is bool(words)
    assert "\n" not in answer


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param("command -v ls > /dev/null || echo lost >&2; false", "", id="a search path"),
        pytest.param("echo invalid userland-proxy-path: none >&2; false", "", id="docker-proxy"),
        pytest.param("echo unknown key: foo >&2; false", "unknown key: foo", id="the file"),
    ],
)
def test_what_dockerd_misses_in_our_environment_is_no_fault_of_the_file(
    tmp_path: Path, script: str, words: str
) -> None:
    program = tmp_path / "dockerd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    process = Process(1, "dockerd", (str(program),))
    assert dockerwords.ask(HostRoot(Path("/")), process, "26.1.5") == words
