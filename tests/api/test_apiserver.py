"""The test server itself: rights, audit log, outages and controllers are real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api.apiserver import ApiServer
from api.processes import wait_until


def test_a_service_account_may_do_nothing_until_it_is_bound(api: ApiServer, namespace: str) -> None:
    kubeconfig = api.service_account_kubeconfig(namespace, "somebody")
    get = ("get", "lreg", "-n", namespace)
    refused = api.kubectl(*get, kubeconfig=kubeconfig, check=False)
    assert "Forbidden" in refused.stderr
    account = f"--serviceaccount={namespace}:somebody"
    api.kubectl("create", "role", "r", "-n", namespace, "--verb=list", "--resource=localregistries")
    api.kubectl("create", "rolebinding", "r", "-n", namespace, "--role=r", account)
    wait_until(
        lambda: api.kubectl(*get, kubeconfig=kubeconfig, check=False).returncode == 0,
        timeout=10,
        what="the right to list",
    )


def test_the_audit_log_tells_who_did_what(api: ApiServer, namespace: str) -> None:
    api.kubectl("get", "lreg", "-n", namespace)

    def found() -> list[dict[str, Any]]:
        return [
            one
            for one in api.audit(user_agent="kubectl/")
            if one.get("objectRef", {}).get("namespace") == namespace
        ]

    # The log is written when the answer is out already.
    wait_until(lambda: bool(found()), timeout=10, what="the line in the log")
    [event] = found()
    assert (event["verb"], event["objectRef"]["resource"]) == ("list", "localregistries")
    assert event["user"]["username"] == "admin"
    assert not [*api.audit(user_agent="nobody/")]


def test_an_outage_loses_nothing_and_controllers_work(tmp_path: Path) -> None:
    with ApiServer.start(tmp_path, with_controller_manager=True) as server:
        server.apply_crd()
        body = {"apiVersion": "localregistry.dev/v1alpha1", "kind": "LocalRegistry"}
        parent = body | {"metadata": {"name": "dev"}, "spec": {"host": "a.b"}}
        server.kubectl("apply", "-f", "-", input=parent)
        uid = server.get("lreg", "dev")["metadata"]["uid"]
        owner = body | {"name": "dev", "uid": uid}
        child = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "child", "ownerReferences": [owner]},
        }
        server.kubectl("apply", "-f", "-", input=child)
        server.process("kube-apiserver").stop(kill=True)
        assert server.kubectl("get", "lreg", check=False).returncode != 0
        server.process("kube-apiserver").restart()
        server.wait_ready()
        assert server.get("configmap", "child")["metadata"]["name"] == "child"
        server.kubectl("delete", "lreg", "dev")
        wait_until(
            lambda: "NotFound" in server.kubectl("get", "cm", "child", check=False).stderr,
            timeout=60,
            what="the garbage collector to take the child",
        )
    assert server.kubectl("get", "lreg", check=False).returncode != 0
