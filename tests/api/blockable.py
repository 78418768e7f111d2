"""`localregistry run`, of which either event loop can be blocked for ever.

SIGUSR1 blocks the main one, in which everything is done; SIGUSR2 that of the watches.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import Any

from localregistry import cli
from localregistry.controller import watches

FOR_EVER = 3600.0

_loops: list[asyncio.AbstractEventLoop] = []
_watch = watches._watch


async def _noted(*arguments: Any) -> None:
    _loops.append(asyncio.get_running_loop())
    await _watch(*arguments)


if __name__ == "__main__":
    watches._watch = _noted  # type: ignore[assignment]
    # Handlers run in the main thread, in the middle of what its loop does.
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(FOR_EVER))
    signal.signal(signal.SIGUSR2, lambda *_: _loops[-1].call_soon_threadsafe(time.sleep, FOR_EVER))
    sys.exit(cli.main(sys.argv[1:]))
