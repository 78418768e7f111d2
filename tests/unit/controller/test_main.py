"""The options of `localregistry run`, and where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localregistry.controller.main import parse
from localregistry.resources.config import OperatorConfig
from localregistry.spec.policy import Grant, HostPolicy

DEFAULT = OperatorConfig()
FEW = '{"limits": {"memory": "1Gi"}}'
TABLE = '[{"namespaces": ["a"], "hosts": ["*"]}]'


@pytest.mark.parametrize(
    ("argv", "environ", "name", "expected"),
    [
        ([], {}, "namespace", DEFAULT.namespace),
        ([], {"POD_NAMESPACE": "ops"}, "namespace", "ops"),
        (["--namespace", "mine"], {"POD_NAMESPACE": "ops"}, "namespace", "mine"),
        ([], {"POD_NAMESPACE": ""}, "namespace", DEFAULT.namespace),
        ([], {"POD_NAME": "op-7"}, "identity", "op-7"),
        ([], {"REGISTRY_IMAGE": "r:1"}, "registry_image", "r:1"),
        ([], {"AGENT_IMAGE": "a:1"}, "agent_image", "a:1"),
        ([], {}, "image_pull_policy", "IfNotPresent"),
        ([], {"AGENT_PULL_POLICY": "Always"}, "image_pull_policy", "Always"),
        (["--image-pull-policy", "Never"], {}, "image_pull_policy", "Never"),
        ([], {}, "agent_privileged", True),
        ([], {"AGENT_PRIVILEGED": "false"}, "agent_privileged", False),
        (["--agent-privileged", "No"], {}, "agent_privileged", False),
        (["--agent-privileged", "1"], {"AGENT_PRIVILEGED": "false"}, "agent_privileged", True),
        ([], {}, "image_pull_secrets", []),
        ([], {"AGENT_PULL_SECRETS": "a, b,,"}, "image_pull_secrets", ["a", "b"]),
        (["--image-pull-secrets", "c"], {"AGENT_PULL_SECRETS": "a"}, "image_pull_secrets", ["c"]),
        ([], {}, "agent_resources", DEFAULT.agent_resources),
        ([], {"AGENT_RESOURCES": FEW}, "agent_resources", {"limits": {"memory": "1Gi"}}),
        (["--agent-resources", "{}"], {"AGENT_RESOURCES": FEW}, "agent_resources", {}),
        (
            ["--agent-resources", '{"requests": {"cpu": 1}, "limits": {}}'],
            {},
            "agent_resources",
            {"requests": {"cpu": "1"}},
        ),
        ([], {}, "host_policy", HostPolicy()),
        ([], {"HOST_POLICY": ""}, "host_policy", HostPolicy()),
        ([], {"HOST_POLICY": TABLE}, "host_policy", HostPolicy((Grant(("a",), ("*",)),))),
        (["--host-policy", "[]"], {"HOST_POLICY": TABLE}, "host_policy", HostPolicy()),
        ([], {}, "local_registry_hosting", False),
        ([], {"LOCAL_REGISTRY_HOSTING": "true"}, "local_registry_hosting", True),
        ([], {}, "local_registry_hosting_help", ""),
        (
            [],
            {"LOCAL_REGISTRY_HOSTING_HELP": "https://x"},
            "local_registry_hosting_help",
            "https://x",
        ),
        ([], {}, "health_port", 8080),
        ([], {"HEALTH_PORT": "9"}, "health_port", 9),
        (["--health-port", "7"], {"HEALTH_PORT": "9"}, "health_port", 7),
        ([], {}, "resync_seconds", 600.0),
        (["--resync-seconds", "1.5"], {}, "resync_seconds", 1.5),
        ([], {"RESYNC_SECONDS": "60"}, "resync_seconds", 60.0),
        ([], {"LOG_LEVEL": "debug"}, "log_level", "debug"),
    ],
)
def test_options_win_over_the_environment_and_that_over_the_defaults(
    argv: list[str], environ: dict[str, str], name: str, expected: Any
) -> None:
    assert getattr(parse(argv, environ), name) == expected


@pytest.mark.parametrize(
    ("argv", "environ", "told"),
    [
        (["--agent-privileged", "maybe"], {}, "--agent-privileged"),
        ([], {"AGENT_PRIVILEGED": "maybe"}, "--agent-privileged"),
        (["--agent-resources", "few"], {}, "--agent-resources"),
        (["--agent-resources", "[]"], {}, "is no table of requests and limits"),
        (["--agent-resources", '{"limits": "1Gi"}'], {}, "is no table of requests and limits"),
        ([], {"AGENT_RESOURCES": '{"limit": {}}'}, "only requests and limits are known"),
        ([], {"AGENT_RESOURCES": '{"limits": {"cpu": "x"}}'}, "'x' is not a quantity"),
        (["--host-policy", "{}"], {}, "hostPolicy must be a list"),
        (["--host-policy", "@/nowhere"], {}, "No such file or directory: '/nowhere'"),
        (
            [],
            {"HOST_POLICY": '[{"namespaces": ["A"], "hosts": ["*"]}]'},
            "'A' is neither a namespace",
        ),
        (["--health-port", "http"], {}, "--health-port"),
        (["--resync-seconds", "0"], {}, "'0' is not a number of seconds from 1 on"),
        (["--resync-seconds", "-5"], {}, "is not a number of seconds from 1 on"),
        ([], {"RESYNC_SECONDS": "soon"}, "'soon' is not a number of seconds from 1 on"),
        ([], {"HEALTH_PORT": "http"}, "--health-port"),
        (["--log-level", "loud"], {}, "choose debug, info, warning or error"),
        ([], {"LOG_LEVEL": "loud"}, "choose debug, info, warning or error"),
        (["--image-pull-policy", "Newest"], {}, "choose one of Always, IfNotPresent, Never"),
        ([], {"AGENT_PULL_POLICY": "always"}, "--image-pull-policy always"),
        (["--unknown"], {}, "--unknown"),
    ],
)
def test_what_cannot_be_read_is_told_by_the_option_s_name(
    argv: list[str], environ: dict[str, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        parse(argv, environ)
    assert raised.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_the_table_of_hosts_is_read_from_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(TABLE)
    assert parse([f"--host-policy=@{path}"], {}).host_policy == HostPolicy.parse(TABLE)


def test_the_help_names_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"], {})
    told = capsys.readouterr().out
    for variable in ("POD_NAMESPACE", "AGENT_PRIVILEGED", "HEALTH_PORT", "AGENT_PULL_SECRETS"):
        assert f"${variable}" in told
    assert "--agent-port" not in told
