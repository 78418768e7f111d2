"""Plays the agents of many nodes in one process: `python -m bench.agents URL TOKEN CA PORT NODES`.

Node N's agent is at 127.20.N/250.N%250+1. It knows its task and the document as soon as the API
server does, and answers as an agent does that is through with both.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys

import aiohttp
from aiohttp import web

from api.standin import SYSTEM
from localregistry.trust import DOCUMENT_KEY, TASK_ANNOTATION, Report, Task, TrustDocument


def address(index: int) -> str:
    return f"127.20.{index // 250}.{index % 250 + 1}"


class Agents:
    """`tasks` by pod address; `revision` of the document that stands in the ConfigMap."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.revision = ""
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        task = self.tasks.get(request.host.partition(":")[0])
        known = task is not None and task.revision == self.revision
        report = Report(task.revision if task and known else "", task.runtime if task else "")
        return web.Response(text=report.to_json(), content_type="application/json")

    def pod(self, body: dict[str, object]) -> None:
        meta, status = body["metadata"], body.get("status") or {}
        assert isinstance(meta, dict)
        assert isinstance(status, dict)
        text = (meta.get("annotations") or {}).get(TASK_ANNOTATION)
        if text and status.get("podIP"):
            self.tasks[str(status["podIP"])] = Task.from_json(text)

    def document(self, body: dict[str, object]) -> None:
        data = body.get("data") or {}
        assert isinstance(data, dict)
        if DOCUMENT_KEY in data:
            self.revision = TrustDocument.from_json(data[DOCUMENT_KEY]).revision


async def main(url: str, token: str, ca: str, port: int) -> None:
    agents = Agents()
    app = web.Application()
    app.router.add_get("/status", agents.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port, backlog=1024).start()
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca))
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        base = f"{url}/api/v1/namespaces/{SYSTEM}"
        async with asyncio.TaskGroup() as group:
            group.create_task(_follow(session, f"{base}/pods", agents.pod))
            group.create_task(_follow(session, f"{base}/configmaps", agents.document))


async def _follow(session: aiohttp.ClientSession, path: str, sink: object) -> None:
    """Watches from the beginning; an API server that ends a watch is watched anew."""
    assert callable(sink)
    while True:
        timeout = aiohttp.ClientTimeout(total=None)
        async with session.get(path, params={"watch": "true"}, timeout=timeout) as answer:
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    sink(event["object"])


if __name__ == "__main__":
    _, server, secret, authority, number = sys.argv
    asyncio.run(main(server, secret, authority, int(number)))
