"""The process around the controller: what it waits for, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from localregistry.controller import process
from localregistry.controller.errors import ApiError
from localregistry.controller.kube import Api


async def test_the_crd_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CRD_WAIT", 0.01)
    answers: list[bool | ApiError] = [ApiError(0, "refused"), False, False, True]

    class Discovery(Api):
        def __init__(self) -> None:
            pass

        async def served(self, kind: Any) -> bool:
            answer = answers.pop(0)
            if isinstance(answer, ApiError):
                raise answer
            return answer

    await asyncio.wait_for(process._crd_served(Discovery()), 1)
    assert answers == []


async def _returns() -> None:
    return None


async def _raises() -> None:
    raise RuntimeError("the watches ended")


@pytest.mark.parametrize(
    ("work", "error"),
    [(_returns, SystemExit), (_raises, RuntimeError)],
    ids=["work that ends unasked ends the process", "work that fails says why"],
)
async def test_a_process_that_was_not_asked_to_stop_fails(
    work: Any, error: type[BaseException]
) -> None:
    with pytest.raises(error) as raised:
        await process._until(asyncio.Event(), work())
    assert raised.value.args == ((1,) if error is SystemExit else ("the watches ended",))


async def test_a_stop_waits_until_the_work_has_cleaned_up() -> None:
    stopping, cleaned = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            stopping.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    await asyncio.wait_for(process._until(stopping, work()), 1)
    assert cleaned.is_set()
