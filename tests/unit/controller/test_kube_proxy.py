"""By which way the API server is reached: the environment's proxy, looked up once."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from kubernetes.aio import client

from localregistry.controller.kinds import NODE
from localregistry.controller.kube import Api, look_once_for_a_proxy
from unit.controller.serving import serving

SERVER, PROXY, OWN = "https://api.example:6443", "http://proxy.example:3128", "http://own:1"
VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("environment", "configured", "expected"),
    [
        pytest.param({}, None, None, id="none where the environment has none"),
        pytest.param({"HTTPS_PROXY": PROXY}, None, PROXY, id="that of the environment"),
        pytest.param({"HTTP_PROXY": PROXY}, None, None, id="none that is for another scheme"),
        pytest.param(
            {"HTTPS_PROXY": PROXY, "NO_PROXY": "api.example"}, None, None, id="none where excepted"
        ),
        pytest.param({"HTTPS_PROXY": PROXY}, OWN, OWN, id="the kubeconfig's own before it"),
    ],
)
def test_the_proxy_is(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    configured: str | None,
    expected: str | None,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    configuration = client.Configuration()
    configuration.host, configuration.proxy = SERVER, configured
    look_once_for_a_proxy(configuration)
    assert configuration.proxy == expected


async def test_a_request_takes_no_turn_of_a_thread_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"name": "n"}})

    async with serving(answer, method="GET") as port:
        configuration = client.Configuration()
        configuration.host = f"http://127.0.0.1:{port}"
        look_once_for_a_proxy(configuration)
        turns = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "run_in_executor", lambda *call: turns.append(call))
        async with client.ApiClient(configuration) as api_client:
            assert await Api(api_client).get(NODE, None, "n") == {"metadata": {"name": "n"}}
    assert turns == []
