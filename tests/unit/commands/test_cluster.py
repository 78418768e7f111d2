"""What the API server's refusals become: one sentence and a next step."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from localregistry.commands import cluster, registries
from localregistry.commands.problems import Problem, Refused, Unavailable
from unit.commands.standin import Answer, StandIn, listed, refusal
from unit.spec.bodies import body

pytestmark = pytest.mark.ux

OPERATOR = Path(__file__).resolve().parents[3] / "operator"
LISTED = "/apis/localregistry.dev/v1alpha1/namespaces/team/localregistries"

REFUSALS = {
    401: (Refused, "does not know who you are", "Log in again"),
    403: (Refused, "You may not do that: its words.", "Ask the cluster's administrator"),
    503: (Unavailable, "cannot reach what was asked for: its words.", "Try again"),
    500: (Problem, "refused /x (500): its words.", "See its words"),
}


@pytest.mark.parametrize("status", REFUSALS)
def test_each_refusal_is_a_sentence_with_a_next_step(status: int) -> None:
    kind, sentence, step = REFUSALS[status]
    answer: Answer = (status, {"kind": "Status", "message": "its words."}, {})
    with pytest.raises(kind) as caught:
        StandIn({"/x": answer}).get("/x")
    assert sentence in caught.value.sentence
    assert step in caught.value.step


def test_what_is_no_api_server_is_told() -> None:
    with pytest.raises(Problem, match="does not speak JSON"):
        StandIn({"/x": (200, b"<html>", {})}).get("/x")
    with pytest.raises(Unavailable, match="<html> bad gateway"):
        StandIn({"/x": (502, b"<html> bad\n gateway", {})}).get("/x")


NAMES = {
    "a name that is nearly one": ("dve", ["dev", "other"], "Did you mean dev?"),
    "another name": ("zzz", ["dev", "other"], "There is dev, other."),
    "an empty namespace": ("dev", [], "`localregistry status -A` lists"),
}


@pytest.mark.parametrize(("name", "there", "step"), NAMES.values(), ids=NAMES)
def test_an_unknown_name_is_answered_with_what_there_is(
    name: str, there: list[str], step: str
) -> None:
    items = [body(name=one, namespace="team") for one in there]
    with pytest.raises(Problem, match=f"no LocalRegistry {name} in namespace team") as caught:
        registries.one(StandIn({LISTED: listed(*items)}), "team", name)
    assert step in caught.value.step


def test_without_the_crd_the_next_step_is_to_install() -> None:
    with pytest.raises(Problem, match="their CRD is not installed") as caught:
        registries.one(StandIn({}), "team", "dev")
    assert "docs/how-to/install.md" in caught.value.step


def test_the_user_is_named_in_what_he_may_not() -> None:
    with pytest.raises(Refused, match='User "eve" cannot list'):
        registries.several(StandIn({LISTED: refusal("list")}), "team")


def test_pages_are_put_together() -> None:
    first, last = {"of": "page 1"}, {"of": "page 2"}
    more = {"items": [first], "metadata": {"continue": "next"}}
    found = StandIn({"/x": more, "/x?limit=500&continue=next": listed(last)}).items("/x")
    assert found == [first, last]


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "localregistry.cli", *arguments]
    path = os.pathsep.join((str(OPERATOR), os.environ.get("PYTHONPATH", "")))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": "/nowhere", **environ}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def kubeconfig(folder: Path, server: str) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "x", "cluster": {"server": server}}],
        "users": [{"name": "x", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_without_a_cluster_there_is_a_sentence_and_no_traceback(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("{not: [yaml")
    empty = tmp_path / "empty"
    empty.write_text("")
    for config in ("/nowhere/config", str(broken), str(empty)):
        done = run("status", "--kubeconfig", config)
        assert done.returncode == 2
        assert "No cluster is configured: " in done.stderr
        assert "--kubeconfig or $KUBECONFIG" in done.stderr
        assert "Traceback" not in done.stderr


def test_an_api_server_that_is_away_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = f"https://127.0.0.1:{taken.getsockname()[1]}"
        done = run("status", KUBECONFIG=kubeconfig(tmp_path, server))
    assert done.returncode == 2
    assert f"The API server at {server} does not answer" in done.stderr
    assert "refused" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_context_is_told(tmp_path: Path) -> None:
    config = kubeconfig(tmp_path, "https://127.0.0.1:1")
    done = run("status", "--kubeconfig", config, "--context", "nope")
    assert done.returncode == 2
    assert "nope" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_words_of_the_system_are_those_shown() -> None:
    inner = OSError(111, "Connection refused")
    outer = RuntimeError("wrapped")
    outer.reason = inner  # type: ignore[attr-defined]
    assert cluster._words(outer) == "[Errno 111] Connection refused"
    assert json.dumps(cluster._words(KeyError())) == '"KeyError"'
