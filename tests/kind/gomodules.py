"""The folder that a program is built in: its group's own, or a copy with modules made up.

A group may hold folders with Go source of ours, which its go.mod puts in a module's place by
``replace MODULE => ./folder``. With a go.mod in it such a folder is the whole module, for one that
no proxy serves. Without one it is a part: the rest comes from the module itself, of the version
that go.mod requires, and each of our packages stands there instead of its namesake. So nothing of
another project is kept in this repository.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kind import shell


def own_folders(group: Path) -> list[Path]:
    """Return a group's folders with source of ours; most have none."""
    return sorted(path for path in group.iterdir() if path.is_dir())


@contextmanager
def completed(group: Path, go: Path, scratch: Path) -> Iterator[Path]:
    """Yield the folder to build in; a copy is made below ``scratch`` and goes afterwards.

    Raises Failed for a folder that go.mod puts in no module's place.
    """
    if not own_folders(group):
        yield group
        return
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        module = Path(folder) / group.name
        shutil.copytree(group, module)
        text = (module / "go.mod").read_text()
        for part in own_folders(module):
            if not (part / "go.mod").exists():
                _fill_up(part, _downloaded(replaced(text, part.name), go, Path(folder)))
        yield module


def replaced(text: str, folder: str) -> str:
    """Return the ``MODULE@VERSION`` in whose place a go.mod puts a folder.

    >>> replaced("require a.b/c v1.2.3\\nreplace a.b/c => ./c\\n", "c")
    'a.b/c@v1.2.3'
    """
    named = re.search(rf"(?m)(\S+) => \./{re.escape(folder)}$", text)
    required = named and re.search(rf"(?m)^(?:require)?\s+?{re.escape(named[1])} (v\S+)", text)
    if not named or not required:
        raise shell.Failed(f"go.mod puts ./{folder} in no module's place")
    return f"{named[1]}@{required[1]}"


def _downloaded(module: str, go: Path, folder: Path) -> Path:
    """Return where Go keeps a module, checked against the public checksums."""
    # Outside of any module, since ours has it replaced.
    answer = shell.run([go, "mod", "download", "-json", module], cwd=folder, timeout=300)
    return Path(json.loads(answer)["Dir"])


def _fill_up(part: Path, source: Path) -> None:
    ours = part.with_name(f"{part.name}.ours")
    part.rename(ours)
    # Go's own copy is read-only, and its mode would come along.
    shutil.copytree(source, part, copy_function=shutil.copyfile)
    for folder in (part, *(path for path in part.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    for package in {path.parent for path in ours.rglob("*.go")}:
        theirs = part / package.relative_to(ours)
        shutil.rmtree(theirs, ignore_errors=True)
        shutil.copytree(package, theirs)
