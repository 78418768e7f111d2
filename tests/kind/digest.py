"""Keys: a thing is named by the hash of what it is built from, so it is never stale."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest(*parts: str | bytes | Path) -> str:
    """Hash strings, files and whole folders into 12 hexadecimal digits.

    The file mode's executable bit counts, its times and its owner do not.
    """
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for name, data in _files(part):
                _add(state, name.encode())
                _add(state, data)
        else:
            _add(state, part.encode() if isinstance(part, str) else part)
    return state.hexdigest()[:12]


def _add(state: "hashlib._Hash", data: bytes) -> None:
    state.update(len(data).to_bytes(8, "big"))
    state.update(data)


def _files(root: Path) -> Iterable[tuple[str, bytes]]:
    if root.is_file():
        yield root.name, root.read_bytes()
        return
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            runnable = "x" if path.stat().st_mode & 0o111 else "-"
            yield f"{path.relative_to(root)}{runnable}", path.read_bytes()
