"""What the audit log tells of rights, and that the page tells of them all."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from api import rights
from api.apiserver import REPOSITORY, ApiServer
from api.lab import install
from documented.runner import Documented, Shell

PAGE = REPOSITORY / "docs/reference/rights.md"
# An account that nobody made, and to which nothing is bound: what every account may.
NOBODY = "default:nobody"
# Since Kubernetes 1.37, to read.
EVERYBODYS = {"clustertrustbundles.certificates.k8s.io"}


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


def test_the_page_shows_what_the_api_server_says_of_both_accounts(
    documented: Documented, api: ApiServer, request: pytest.FixtureRequest
) -> None:
    install(api)
    environment = {"KUBECONFIG": str(api.kubeconfig), "KUBECACHEDIR": str(api.directory / "cache")}
    answers = list(documented.rest(Shell((api.bin,), environment)))
    assert len(answers) == 3, f"{PAGE}: blocks of kubectl auth can-i --list"
    if request.config.getoption("--update-golden"):
        page = PAGE.read_text()
        for ran in answers:
            head = f"$ {ran.command.text}\n"
            said = "\n".join(_lines(ran.said))
            page = page.replace(head + ran.command.output, head + said)
        PAGE.write_text(page)
        return
    # Kubernetes 1.37 lets every account read clustertrustbundles, which the page does not tell of.
    everybody = set(_may(api, NOBODY))
    for ran in answers:
        shown = _rows(ran.command.output)
        new = everybody.difference(shown)
        assert shown == [row for row in _rows(ran.said) if row not in new], ran.command.text


def test_an_agent_may_only_ask_what_it_may(api: ApiServer) -> None:
    install(api)
    agent = _may(api, "localregistry-system:default")
    assert agent == _may(api, NOBODY)
    resources = {row.split()[0] for row in agent[1:] if not row.startswith("[")}
    assert resources - EVERYBODYS == {
        "selfsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectreviews.authentication.k8s.io",
        "selfsubjectrulesreviews.authorization.k8s.io",
    }


def _may(api: ApiServer, account: str) -> list[str]:
    """What a service account (`namespace:name`) may, a row for each resource or URL."""
    asked = ("auth", "can-i", "--list", f"--as=system:serviceaccount:{account}")
    return _rows(api.kubectl(*asked, "-n", "localregistry-system").stdout)


def _rows(text: str) -> list[str]:
    """With one blank between columns: their widths are those of the longest in each answer."""
    return [" ".join(line.split()) for line in _lines(text)]


def _lines(text: str) -> list[str]:
    """Without the blanks at the ends, by which columns are laid out."""
    return [line.rstrip() for line in text.strip("\n").splitlines()]
