"""Completion: bash really asked, and every command and option in the scripts of all shells."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.commands import completion, main
from localregistry.commands.problems import Problem

pytestmark = pytest.mark.ux

# Presses the key: the words so far, the last of which is to be completed.
PRESS = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=()
function_name=$(complete -p localregistry | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
"$function_name" localregistry "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bash") / "localregistry.bash"
    path.write_text(completion.script(main.parser(), "bash"))
    return path


def press(bash: Path, *words: str, path: str = "/usr/bin:/bin") -> list[str]:
    command = ["bash", "-c", PRESS, "press", str(bash), "localregistry", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=True, env={"PATH": path}
    )
    return [word.strip() for word in done.stdout.split()]


KEYS = {
    "a command": (("st",), {"status"}),
    "all commands": (("",), {"status", "wait", "doctor", "diff", "render", "completion"}),
    "an option": (("status", "--out"), {"--output"}),
    "the choices of an option": (("status", "-o", ""), {"json", "yaml"}),
    "a shell": (("completion", "z"), {"zsh"}),
}


@pytest.mark.parametrize(("words", "expected"), KEYS.values(), ids=KEYS)
def test_bash_completes(bash: Path, words: tuple[str, ...], expected: set[str]) -> None:
    assert expected <= set(press(bash, *words))


def test_bash_completes_the_names_that_the_cluster_has(bash: Path, tmp_path: Path) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        "#!/bin/sh\necho localregistry.localregistry.dev/dev\necho localregistry/web\n"
    )
    kubectl.chmod(0o755)
    assert press(bash, "wait", "d", path=f"{tmp_path}:/usr/bin:/bin") == ["dev"]


def test_bash_is_silent_where_there_is_no_kubectl(bash: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "sed", "cut"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    assert press(bash, "wait", "d", path=str(tools)) == []


def strings(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in completion._actions(parser):
        if action.help != argparse.SUPPRESS:
            yield from (one for one in action.option_strings if one.startswith("--"))


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_command_and_option_is_in_the_script(shell: str) -> None:
    text = completion.script(main.parser(), shell)
    for word in {*strings(main.parser()), "status", "wait", "doctor", "diff", "render"}:
        assert word in text or word.removeprefix("--") in text, word
    assert "--agent-port" not in text


def test_the_plugin_prints_the_same_script(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = completion.script(main.parser(), "bash")
    monkeypatch.setattr(sys, "argv", ["kubectl-localregistry"])
    assert "complete" in plain
    assert completion.script(main.parser(), "bash") == plain


def test_without_the_library_the_line_to_install_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(Problem, match="needs the library shtab") as caught:
        completion.script(main.parser(), "bash")
    assert "pip install 'localregistry-operator[cli]'" in caught.value.step


def test_the_command_prints_it_without_a_cluster(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(os.environ, "KUBECONFIG", "/nowhere")
    assert main.main(["completion", "fish"]) == 0
    assert "complete -c localregistry" in capsys.readouterr().out
