"""hostPolicy as the chart renders it, at a real API server; then the operator's side of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from api.apiserver import REPOSITORY, ApiServer, binaries
from api.lab import LREG, Lab, open_lab
from api.processes import wait_until
from api.standin import SYSTEM
from localregistry.spec.hosts import Host
from localregistry.spec.policy import NAMES_ONLY, HostPolicy
from unit.spec.test_policy import BAD_TABLES, DECISIONS, POLICY, TABLE

Table = list[dict[str, Any]]
Grant = Callable[[Table], None]

NAME = "localregistry-hosts"
KINDS = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
GROUP = "/apis/admissionregistration.k8s.io/v1"
# A changed policy takes a second or two to act.
PATIENCE = 15.0


def template(table: Any, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(binaries("helm") / "helm"), "template", "localregistry"]
    command += [str(REPOSITORY / "manifests/chart"), "-n", SYSTEM, "--kube-version", "1.34.0"]
    command += ["--show-only", "templates/hostpolicy.yaml", *options]
    # Not as an argument: Linux takes none of more than 128 KiB.
    values = json.dumps({"hostPolicy": table})
    return subprocess.run(
        [*command, "--values", "-"],
        input=values,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def rendered(table: Any, *options: str) -> list[dict[str, Any]]:
    done = template(table, *options)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def create(
    api: ApiServer, namespace: str, host: str, *aliases: str, dry: bool = True
) -> tuple[int, dict[str, Any]]:
    path = f"/apis/localregistry.dev/v1alpha1/namespaces/{namespace}/localregistries"
    body = {
        "apiVersion": "localregistry.dev/v1alpha1",
        "kind": "LocalRegistry",
        "metadata": {"name": "dev"},
        "spec": {"host": host, "aliases": list(aliases)},
    }
    return api.request("POST", path + ("?dryRun=All" if dry else ""), body)


def made(api: ApiServer, *namespaces: str) -> None:
    for name in (*namespaces, "probe-of-the-policy"):
        api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})


def withdrawn(api: ApiServer) -> None:
    for kind in reversed(KINDS):
        api.request("DELETE", f"{GROUP}/{kind}/{NAME}")


@pytest.fixture
def grant(api: ApiServer) -> Iterator[Grant]:
    """Applies the policy of a table, and waits until it acts."""
    made(api)
    count = 0

    def apply(table: Table) -> None:
        nonlocal count
        count += 1
        # What only the newest table grants tells that it acts.
        mark = f"mark-{count}.example"
        marked = [*table, {"namespaces": ["probe-of-the-policy"], "hosts": [mark]}]
        api.kubectl("apply", "--server-side", "-f", "-", input=rendered(marked))

        def acts() -> bool:
            granted = create(api, "probe-of-the-policy", mark)[0] == 201
            return granted and create(api, "probe-of-the-policy", "other.example")[0] == 403

        wait_until(acts, timeout=PATIENCE, what="the policy to act")

    yield apply
    withdrawn(api)
    wait_until(
        lambda: create(api, "probe-of-the-policy", "other.example")[0] == 201,
        timeout=PATIENCE,
        what="the policy to be gone",
    )


def test_admission_decides_as_the_operator_does_and_in_its_words(
    api: ApiServer, grant: Grant
) -> None:
    made(api, *{namespace for namespace, _, _ in DECISIONS})
    grant(TABLE)
    for namespace, text, granted in DECISIONS:
        host = Host.parse_alias(text)
        asked = [host] if host.address is None else [Host.parse("registry.example.internal"), host]
        status, answer = create(api, namespace, *map(str, asked))
        refused = POLICY.refused(namespace, asked)
        assert (host not in refused) is granted
        assert status == (403 if refused else 201), (namespace, text, answer)
        if refused:
            assert answer["message"].endswith(POLICY.sentence(namespace, refused))


def test_without_a_table_every_name_is_granted_and_no_address(api: ApiServer, grant: Grant) -> None:
    api.kubectl("apply", "--server-side", "-f", "-", input=rendered([]))

    def refused() -> bool:
        return create(api, "default", "a.example", "10.0.0.1:80", "[fd00::1]:80")[0] == 403

    wait_until(refused, timeout=PATIENCE, what="the policy to act")
    _, answer = create(api, "default", "a.example", "10.0.0.1:80", "[fd00::1]:80")
    addresses = [Host.parse_alias(text) for text in ("10.0.0.1:80", "[fd00::1]:80")]
    assert answer["message"].endswith(HostPolicy().sentence("default", addresses))
    assert answer["message"].endswith(NAMES_ONLY)
    assert create(api, "default", "a.example", "b.example:5000")[0] == 201


def test_an_older_resource_can_be_changed_in_all_that_is_not_a_new_name(
    api: ApiServer, namespace: str, grant: Grant
) -> None:
    assert create(api, namespace, "a.example", "b.example", "c.example", dry=False)[0] == 201
    grant([{"namespaces": [namespace], "hosts": ["d.example"]}])
    path = f"/apis/localregistry.dev/v1alpha1/namespaces/{namespace}/localregistries/dev"

    def change(**body: Any) -> tuple[int, str]:
        merge = "application/merge-patch+json"
        status, answer = api.request("PATCH", path, body, content_type=merge)
        return status, str(answer.get("message", ""))

    assert change(metadata={"labels": {"a": "b"}}) == (200, "")
    assert change(metadata={"finalizers": ["localregistry.dev/node-trust"]}) == (200, "")
    assert change(spec={"suspend": True}) == (200, "")
    assert change(spec={"aliases": ["c.example"]}) == (200, ""), "less than before"
    status, message = change(spec={"aliases": ["c.example", "b.example"]})
    assert status == 403, "what was given up is new again"
    assert message.endswith(
        f"namespace {namespace} may not declare b.example: hostPolicy grants it d.example"
    )
    assert change(spec={"aliases": ["c.example", "d.example:5000"]}) == (200, "")
    assert change(spec={"host": "e.example"})[0] == 403
    assert change(spec={"host": "c.example", "aliases": []}) == (200, ""), "it had that"
    assert api.request("DELETE", path)[0] == 200
    assert change(metadata={"finalizers": None}) == (200, "")
    assert api.request("GET", path)[0] == 404


def test_a_policy_that_is_installed_anew_acts_by_its_new_table(
    api: ApiServer, namespace: str, grant: Grant
) -> None:
    grant([{"namespaces": [namespace], "hosts": ["a.example"]}])
    assert create(api, namespace, "a.example")[0] == 201
    withdrawn(api)
    wait_until(
        lambda: create(api, namespace, "b.example")[0] == 201,
        timeout=PATIENCE,
        what="the policy to be gone",
    )
    grant([{"namespaces": [namespace], "hosts": ["b.example"]}])
    assert create(api, namespace, "a.example")[0] == 403
    assert create(api, namespace, "b.example")[0] == 201


HOSTILE = (
    *(
        "' || true || '",
        '" || true || "',
        '"]}], true || [{"',
        "\\",
        '\\"',
        "\n",
        "\u2028",
        "{{ . }}",
    ),
    *("{{ . }}", "*' + '", "</script>&<", "%s", "${x}", "\x00", "é"),
)


def test_text_that_got_past_the_schema_stays_text(
    api: ApiServer, namespace: str, grant: Grant
) -> None:
    grant([{"namespaces": [namespace], "hosts": ["a.example"]}])
    table = [{"namespaces": [namespace, *HOSTILE], "hosts": ["b.example", *HOSTILE]}]
    policy, _ = rendered(table, "--skip-schema-validation")
    status, answer = api.request(
        "PATCH",
        f"{GROUP}/{KINDS[0]}/{NAME}?fieldManager=test&force=true",
        policy,
        content_type="application/apply-patch+yaml",
    )
    assert status == 200, answer
    wait_until(
        lambda: create(api, namespace, "b.example")[0] == 201,
        timeout=PATIENCE,
        what="the policy to act",
    )
    assert create(api, namespace, "a.example")[0] == 403


BAD = {name: table for name, (table, _) in BAD_TABLES.items() if not isinstance(table, str)}
# A pattern cannot judge these; the operator, which reads them, does not start.
NUMBERS = {f"host {text!r}" for text in ("10.0.0.0/33", "10.0.0.256", "fd00::/129", "fd00:::1")}


@pytest.mark.parametrize("table", [BAD[name] for name in BAD.keys() - NUMBERS])
def test_helm_refuses_a_table_that_the_operator_could_not_read(table: Any) -> None:
    assert template(table).returncode != 0


@pytest.mark.parametrize(
    ("rules", "host"),
    [(11, f"{'a' * 63}.{'b' * 63}"), (16, "a")],
    ids=["by its length", "by its number of hosts"],
)
def test_helm_refuses_a_table_that_no_api_server_would_take(rules: int, host: str) -> None:
    hosts = [f"{host}.r{i}.example" for i in range(64)]
    done = template([{"namespaces": ["*"], "hosts": hosts} for _ in range(rules)])
    assert "hostPolicy is too large" in done.stderr


def test_a_large_table_is_judged_within_the_api_servers_budget(
    api: ApiServer, namespace: str, grant: Grant
) -> None:
    """As many hosts as the chart takes, all of them granted to the one that asks for most names."""
    parent = "a-rather-long-name-of-a-company.example.com"
    rules = [
        {"namespaces": ["*"], "hosts": [f"*.t{i}-{j}.{parent}" for j in range(37)]}
        for i in range(27)
    ]
    assert sum(len(rule["hosts"]) for rule in rules) == 999
    grant(rules)
    names = [f"r{i}.t26-36.{parent}" for i in range(17)]
    status, answer = create(api, namespace, *names)
    assert status == 201, answer
    status, answer = create(api, namespace, *names[:-1], f"r.t27-36.{parent}")
    assert status == 403
    assert "hostPolicy" in answer["message"]


# The operator's side


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    yield from open_lab(api, namespace, node="node-a")
    withdrawn(api)


def restarted(lab: Lab, *hosts: str) -> None:
    assert lab.operator
    lab.operator.process.stop()
    table = [{"namespaces": [lab.namespace], "hosts": list(hosts)}]
    lab.start_operator(name="operator-1", environment={"HOST_POLICY": json.dumps(table)})


def trusted(lab: Lab) -> list[tuple[str, ...]]:
    return [entry.names for entry in lab.trusted().registries]


@pytest.mark.parametrize("suspended", [False, True], ids=["active", "suspended"])
def test_a_host_that_is_granted_no_longer_is_withdrawn_and_told(lab: Lab, suspended: bool) -> None:
    lab.apply("dev", aliases=["alias.example.internal"])
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready", timeout=20)
    if suspended:
        patch = '{"spec":{"suspend":true}}'
        lab.api.kubectl("patch", LREG, "dev", "-n", lab.namespace, "--type=merge", "-p", patch)
    restarted(lab, "*.else.example", "alias.example.internal")
    lab.wait_for("dev", "NodesReady", "HostNotAllowed", status="False", timeout=30)
    told = lab.wait_for("dev", "Ready", "HostNotAllowed", status="False")
    assert "may not declare dev.example.internal: hostPolicy grants it *.else" in told["message"]
    wait_until(lambda: trusted(lab) == [], timeout=10, what="the trust to go")
    if not suspended:
        assert lab.condition("dev", "Exposed")["reason"] == "HostNotAllowed"
        assert not lab.exists("ingress", "dev-registry")
    assert lab.exists("deployment", "dev-registry")
    lab.wait_for_events(
        lab.namespace,
        lambda events: any(
            (e["reason"], e["type"]) == ("HostNotAllowed", "Warning")
            and "dev.example.internal" in e["note"]
            for e in events
        ),
    )
    restarted(lab, "*.internal")
    if not suspended:
        lab.wait_for("dev", "Ready", "Ready", timeout=30)
        assert trusted(lab) == [("dev.example.internal", "alias.example.internal")]


def test_an_alias_that_is_granted_no_longer_goes_alone_and_an_address_needs_a_grant(
    lab: Lab,
) -> None:
    restarted(lab, "*", "10.100.0.0/16")
    withdrawn(lab.api)
    wait_until(
        lambda: create(lab.api, lab.namespace, "a.example", "10.100.0.1:30500")[0] == 201,
        timeout=PATIENCE,
        what="the policy of install.yaml to go",
    )
    lab.apply("dev", aliases=["10.100.0.1:30500", "alias.example.internal"])
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready", timeout=30)
    host = "dev.example.internal"
    assert trusted(lab) == [(host, "10.100.0.1:30500", "alias.example.internal")]
    rules = lab.get("ingress", "dev-registry")["spec"]["rules"]
    assert [rule["host"] for rule in rules] == [host, "alias.example.internal"]
    ports = [port["port"] for port in lab.get("service", "dev-registry")["spec"]["ports"]]
    assert 30500 in ports
    restarted(lab, "*")
    found = lab.wait_for("dev", "NodesReady", "HostNotAllowed", status="False", timeout=30)
    assert "may not declare 10.100.0.1:30500: hostPolicy grants it *;" in found["message"]
    wait_until(
        lambda: trusted(lab) == [(host, "alias.example.internal")],
        timeout=10,
        what="the address to go alone",
    )
