"""The command line as a whole: help, usage, and what is missing."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import pytest

from localregistry import cli
from localregistry.commands import main, options, screen
from localregistry.commands.problems import Problem

pytestmark = pytest.mark.ux


def commands() -> dict[str, argparse.ArgumentParser]:
    [action] = [a for a in main.parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(action.choices)


@pytest.mark.parametrize("name", commands())
def test_the_help_of_each_command_has_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([name, "--help"])
    assert caught.value.code == 0
    assert f"examples:\n  localregistry {name} " in capsys.readouterr().out


@pytest.mark.parametrize("name", commands())
def test_each_command_is_in_the_usage_and_on_its_page(name: str) -> None:
    assert f"localregistry {name} " in cli.USAGE
    page = (Path(__file__).resolve().parents[3] / "docs/reference/cli.md").read_text()
    assert f"## {name}" in page.lower()


def test_what_cannot_be_understood_is_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["status", "--nonsense"])
    assert caught.value.code == 2
    assert "unrecognized arguments: --nonsense" in capsys.readouterr().err


def test_as_a_plugin_it_names_itself_as_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/kubectl-localregistry", "status"])
    assert options.program() == "kubectl localregistry"
    assert "kubectl localregistry status -A" in commands()["status"].format_help()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_rich_a_terminal_gets_the_line_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "rich.box", None)
    with pytest.raises(Problem, match="need the library rich") as caught:
        screen.show(["x"], Terminal())
    assert "pip install 'localregistry-operator[cli]'" in caught.value.step


def test_without_rich_a_pipe_gets_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.box", None)
    out = io.StringIO()
    screen.show(["x", screen.Table(["a", "b"], [["1", ""]])], out)
    assert out.getvalue() == "x\nA   B\n1   -\n"


def test_a_terminal_gets_tables() -> None:
    out = Terminal()
    screen.show([screen.Table(["a"], [["1"]])], out)
    assert "─" in out.getvalue()


def test_a_problem_is_printed_with_its_next_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["status", "dev", "-A"]) == 2
    assert capsys.readouterr().err == (
        "localregistry status: A NAME is of one namespace.\n  Leave out -A, or the name.\n"
    )
