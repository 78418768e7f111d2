"""`localregistry wait` beside a real operator: it ends with Ready, or says what is left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from api.apiserver import ApiServer
from api.lab import Lab, open_lab
from api.people import READER, Person

pytestmark = pytest.mark.ux

PATIENCE = 60


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        opened.start_operator()
        opened.add_node("node-a")
        yield opened


def test_it_shows_what_is_pending_and_ends_when_ready(lab: Lab) -> None:
    person = Person.with_rights(lab.api, lab.namespace, "person", *READER)
    silent = lab.add_node("node-b")
    silent.silent = True
    lab.apply("dev")
    command = person.command(["wait", "dev", "-n", lab.namespace, "--timeout", f"{PATIENCE}s"])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lab.bring_up("dev")
    lab.wait_for("dev", "NodesReady", "NodesPending")
    assert process.poll() is None
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or "NodesPending" not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], lines
    silent.silent = False
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0
    assert f"{lab.namespace}/dev is ready after " in output
    assert "node-b" in lines[-1]


def test_codes_tell_scripts_what_became_of_it(lab: Lab) -> None:
    person = Person.with_rights(lab.api, lab.namespace, "person", *READER)
    lab.apply("dev")
    done = person.run("wait", "dev", "-n", lab.namespace, "--timeout", "1s")
    assert done.returncode == 1
    assert f"{lab.namespace}/dev is not ready after 1s: " in done.stderr
    for arguments, words in (
        (("dve", "-n", lab.namespace), "Did you mean dev?"),
        (("dev", "-n", "elsewhere"), "There is no LocalRegistry dev in namespace elsewhere"),
        (("dev", "--timeout", "soon"), "is no duration such as"),
    ):
        done = person.run("wait", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    stranger = Person.with_rights(lab.api, lab.namespace, "stranger")
    done = stranger.run("wait", "dev", "-n", lab.namespace)
    assert done.returncode == 2
    assert "You may not do that: localregistries.localregistry.dev" in done.stderr
