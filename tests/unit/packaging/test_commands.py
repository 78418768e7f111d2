"""Every block of commands in the documentation is run by a test that is there and reads it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from documented import blocks, runner

# What a fence may hold. `shell` and `console` are commands; a fence without a language is not
# known to be none.
LANGUAGES = {"shell", "console", "yaml", "toml", "text"}

PAGE = """\
Words.

<!-- run by test_one, test_two -->
```console
$ make demo
$ kubectl apply \\
  -f x.yaml
applied
twice
```

- <!-- run by test_one -->
  ```shell
  make test
  ```

```shell
make nothing
```
"""


@pytest.fixture(scope="module")
def tests(root: Path) -> dict[str, list[set[str]]]:
    """The fixtures of each test function, by its name; as many as there are of that name."""
    found: dict[str, list[set[str]]] = {}
    for path in (root / "tests").glob("**/test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("test_"):
                found.setdefault(node.name, []).append({arg.arg for arg in node.args.args})
    return found


def test_every_block_of_commands_names_a_test() -> None:
    nobodys = [b.place for b in blocks.fenced() if b.language in blocks.COMMANDS and not b.tests]
    assert nobodys == [], "write `<!-- run by test_… -->` above the fence, and that test"


def test_every_test_that_is_named_is_there_once_and_reads_the_block(
    tests: dict[str, list[set[str]]],
) -> None:
    named = blocks.claims()
    assert named
    for name, places in named.items():
        assert len(tests.get(name, ())) == 1, f"{places}: {len(tests.get(name, ()))} × {name}"
        assert "documented" in tests[name][0], f"{name} does not take the fixture `documented`"


def test_whoever_takes_the_blocks_is_named_by_one(tests: dict[str, list[set[str]]]) -> None:
    readers = {name for name, found in tests.items() if any("documented" in one for one in found)}
    assert readers == blocks.claims().keys()


def test_no_claim_stands_above_nothing() -> None:
    above = dict.fromkeys(blocks.claims(), 0)
    for block in blocks.fenced():
        assert block.language in blocks.COMMANDS or not block.tests, block.place
        for name in block.tests:
            above[name] += 1
    assert above == {name: len(places) for name, places in blocks.claims().items()}


def test_every_fence_says_what_it_holds() -> None:
    unknown = {b.place: b.language for b in blocks.fenced() if b.language not in LANGUAGES}
    assert unknown == {}


def test_a_console_shows_its_prompts_and_a_shell_has_none() -> None:
    for block in blocks.fenced():
        if block.language == "console":
            assert block.text.startswith(blocks.PROMPT), block.place
        if block.language == "shell":
            assert "\n$ " not in f"\n{block.text}", block.place


def test_a_page_is_read_as_it_is_written() -> None:
    first, second, third = blocks.read("page.md", PAGE)
    assert (first.language, first.tests, first.place) == (
        "console",
        ("test_one", "test_two"),
        "page.md:4",
    )
    assert first.commands == [
        blocks.Command("make demo"),
        blocks.Command("kubectl apply \\\n  -f x.yaml", "applied\ntwice"),
    ]
    assert (second.text, third.tests) == ("make test", ())
    assert second.commands == [blocks.Command("make test")]


def block(text: str) -> blocks.Block:
    return blocks.Block("page.md", 1, "shell", text, ("test_x",))


def test_a_block_is_run_as_it_stands_but_for_what_is_replaced(tmp_path: Path) -> None:
    documented = runner.Documented([block("X=1\necho one $X"), block("pwd")])
    shell = runner.Shell(folder=tmp_path)
    [ran] = documented.run(shell, replace={"one": "two"})
    assert ran.said == "two 1\n"
    assert documented.waiting == [block("pwd")]
    assert [ran.said.strip() for ran in documented.rest(shell)] == [str(tmp_path)]
    assert documented.waiting == []


def test_a_replacement_of_what_is_not_there_fails(tmp_path: Path) -> None:
    documented = runner.Documented([block("true")])
    with pytest.raises(AssertionError, match=r"page\.md:1 has no 'x'"):
        documented.run(runner.Shell(folder=tmp_path), replace={"x": "y"})
    documented.run(runner.Shell(folder=tmp_path))


@pytest.mark.parametrize("command", ["false", "false | cat", "echo $UNSET_ANYWHERE", "nothing-so"])
def test_a_command_that_fails_fails_the_test(tmp_path: Path, command: str) -> None:
    documented = runner.Documented([block(command)])
    with pytest.raises(AssertionError):
        documented.run(runner.Shell(folder=tmp_path))
    assert documented.waiting, "and does not count as run"


def test_what_was_printed_is_compared_but_for_its_numbers() -> None:
    wanted = blocks.Command("x", "NAME  AGE\ndev  90s")
    assert runner.Ran(wanted, "NAME AGE\ndev   2m\n").is_as_written()
    assert not runner.Ran(wanted, "NAME AGE\nother 2m\n").is_as_written()
    assert not runner.Ran(wanted, "NAME AGE\n").is_as_written()
