"""What the audit log tells of rights, and that the page tells of them all."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from api import rights
from api.apiserver import REPOSITORY, ApiServer
from api.lab import install

PAGE = REPOSITORY / "docs/operations.md"
# What every account may read, in the operator's own blocks: it stands in the agents'.
WITHOUT_ADDRESSES = "grep -v '\\[/'"
BLOCK = re.compile(r"```console\n\$ kubectl (auth can-i --list [^\n]+)\n(.*?)```", re.DOTALL)


def test_the_audit_log_tells_a_right_that_is_there_for_nothing_or_missing() -> None:
    # Apart from the logs of this run, in which no right may be missing.
    with TemporaryDirectory() as folder:
        with ApiServer.start(Path(folder)) as api:
            install(api)
            config = api.service_account_kubeconfig("localregistry-system", "localregistry")
            api.kubectl("get", "nodes", kubeconfig=config)
            api.kubectl("get", "secrets", kubeconfig=config, check=False)
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
            api.kubectl("apply", "--server-side", "-f", "-", input=body, kubeconfig=config)
        # When it has ended: the log is written when an answer is out already.
        found = list(rights.events(Path(folder)))
    configmaps = rights.Right("ClusterRole", "", "configmaps", "patch")
    assert rights.used(found) == {
        rights.Right("ClusterRole", "", "nodes", "list"),
        configmaps,
        configmaps._replace(verb="create"),
    }
    assert rights.refused(found) == {("", "secrets", "list", False)}


@pytest.fixture
def answers(api: ApiServer) -> list[tuple[str, str, list[str]]]:
    """For each command of the page: its arguments, what is written, what an API server says."""
    install(api)
    return [
        (command, written, _said(api, command))
        for command, written in BLOCK.findall(PAGE.read_text())
    ]


def _said(api: ApiServer, command: str) -> list[str]:
    command, piped, _ = command.partition(f" | {WITHOUT_ADDRESSES}")
    lines = _lines(api.kubectl(*command.split()).stdout)
    return [line for line in lines if not piped or "[/" not in line]


def test_the_page_shows_what_the_api_server_says_of_both_accounts(
    answers: list[tuple[str, str, list[str]]], request: pytest.FixtureRequest
) -> None:
    assert len(answers) == 3, f"{PAGE}: blocks of kubectl auth can-i --list"
    if request.config.getoption("--update-golden"):
        page = PAGE.read_text()
        for command, written, said in answers:
            head = f"$ kubectl {command}\n"
            page = page.replace(head + written, head + "".join(f"{line}\n" for line in said))
        PAGE.write_text(page)
    for command, _, said in answers:
        [written] = [text for name, text in BLOCK.findall(PAGE.read_text()) if name == command]
        assert _lines(written) == said, command


def test_an_agent_may_only_ask_what_it_may(answers: list[tuple[str, str, list[str]]]) -> None:
    [said] = [said for command, _, said in answers if ":default " in command]
    resources = {line.split()[0] for line in said[1:] if not line.startswith(" ")}
    assert resources == {
        "selfsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectreviews.authentication.k8s.io",
        "selfsubjectrulesreviews.authorization.k8s.io",
    }


def _lines(text: str) -> list[str]:
    """Without the blanks at the ends, by which columns are laid out."""
    return [line.rstrip() for line in text.splitlines()]
