"""How kopf's failures are told: in one sentence where the API server has refused, and at all."""

from __future__ import annotations

import logging
from collections.abc import Callable

from localregistry.controller.errors import REFUSALS


class WatchesEnded(RuntimeError):
    """The API server refuses a watch, as where the CRD was deleted: nothing of ours is wrong."""


def in_short(error: BaseException | None) -> BaseException:
    """One sentence instead of kopf's stack where the API server has refused: by a 404, say."""
    if error is None:
        return RuntimeError("the watches ended")
    refusal = _refusal(error)
    return WatchesEnded(f"the API server refuses a watch: {refusal}") if refusal else error


def _refusal(error: BaseException) -> BaseException | None:
    """What the API server has refused, where nothing else is wrong."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if getattr(error, "status", None) in REFUSALS else None


class _InShort(logging.Filter):
    """kopf logs a refusal that ends its watches twice, each time with the stack."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error and _refusal(error):
            record.exc_info, record.refused = None, error
        return True


class Failures(logging.Handler):
    """kopf logs what ends its watches before it ends, and now and then hangs in between: seen where
    an event came at that very moment. Then nothing is watched and nothing is wrong to see."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        super().__init__(logging.ERROR)
        self._failed = failed

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else getattr(record, "refused", None)
        if error:
            self._failed(error)


# One object, so that it is added once to each logger.
IN_SHORT = _InShort()
