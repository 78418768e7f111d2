"""The agent image's root: what goes in, what stays out, and that links and libraries come along."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

LDD = """\
\tlinux-vdso.so.1 (0x00007ffd6b1f9000)
\tlibpython3.13.so.1.0 => /usr/local/lib/libpython3.13.so.1.0 (0x00007f1f0c600000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1f0c400000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f1f0cc00000)
"""


@pytest.fixture(scope="module")
def script(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("manifests/image/agent_root.py")


def test_libraries_and_the_loader_are_read_from_ldd(script: ModuleType) -> None:
    assert script.libraries_of(LDD) == {
        Path("/usr/local/lib/libpython3.13.so.1.0"),
        Path("/lib/x86_64-linux-gnu/libc.so.6"),
        Path("/lib64/ld-linux-x86-64.so.2"),
    }


def test_a_static_program_needs_no_library(script: ModuleType) -> None:
    assert script.libraries_of("\tnot a dynamic executable\n") == set()


def test_a_missing_library_is_named(script: ModuleType) -> None:
    with pytest.raises(script.Incomplete, match=r"libffi\.so\.8"):
        script.libraries_of(LDD + "\tlibffi.so.8 => not found\n")


def test_the_running_interpreter_has_its_c_library_among_them(script: ModuleType) -> None:
    names = {path.name for path in script.needed_libraries([Path(sys.executable)])}
    assert "libc.so.6" in names
    assert script.OPENED_BY_NAME in names


@pytest.mark.parametrize(
    ("name", "excluded"),
    [
        ("_ssl.cpython-313-x86_64-linux-gnu.so", True),
        ("_hashlib.cpython-313-x86_64-linux-gnu.so", True),
        ("_testcapi.cpython-313-x86_64-linux-gnu.so", True),
        ("xxlimited.cpython-313-x86_64-linux-gnu.so", True),
        ("_socket.cpython-313-x86_64-linux-gnu.so", False),
        ("_sha2.cpython-313-x86_64-linux-gnu.so", False),
        ("_ctypes.cpython-313-x86_64-linux-gnu.so", False),
    ],
)
def test_extensions_that_stay_out(script: ModuleType, name: str, excluded: bool) -> None:
    assert script.is_excluded_extension(name) is excluded


def test_a_file_is_copied_with_every_link_on_the_way(script: ModuleType, tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    (source / "real").mkdir(parents=True)
    (source / "real/python3.13").write_text("program")
    (source / "python3").symlink_to("real/python3.13")
    (source / "python").symlink_to(source / "python3")

    script.copy_file(source / "python", root)

    inside = root / source.relative_to("/")
    assert (inside / "python").readlink() == source / "python3"
    assert (inside / "python3").readlink() == Path("real/python3.13")
    assert (inside / "real/python3.13").read_text() == "program"


def test_a_file_may_be_copied_twice(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "libc.so.6").write_text("library")
    (tmp_path / "libc.so").symlink_to("libc.so.6")
    for _ in range(2):
        script.copy_file(tmp_path / "libc.so", tmp_path / "root")
    copied = tmp_path / "root" / tmp_path.relative_to("/") / "libc.so"
    assert copied.is_symlink()


def test_of_the_standard_library_only_what_can_run_is_taken(
    script: ModuleType, tmp_path: Path
) -> None:
    library, root = tmp_path / "python3.13", tmp_path / "root"
    for name in (
        "http/server.py",
        "test/test_os.py",
        "tkinter/__init__.py",
        "ensurepip/bundled/pip.whl",
        "site-packages/pip/__init__.py",
        "json/__pycache__/decoder.cpython-313.pyc",
        "config-3.13-x86_64-linux-gnu/libpython3.13.a",
        "lib-dynload/_socket.cpython-313.so",
        "lib-dynload/_ssl.cpython-313.so",
    ):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).touch()

    extensions = script.copy_standard_library(library, root)

    inside = root / library.relative_to("/")
    taken = {str(path.relative_to(inside)) for path in inside.rglob("*") if path.is_file()}
    assert taken == {"http/server.py", "lib-dynload/_socket.cpython-313.so"}
    assert extensions == [inside / "lib-dynload/_socket.cpython-313.so"]


def test_what_is_missing_ends_the_build_with_a_sentence(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def incomplete(root: Path) -> None:
        raise script.Incomplete("shared libraries not found: libffi.so.8")

    monkeypatch.setattr(script, "assemble", incomplete)
    assert script.main([str(tmp_path / "root")]) == 1
    assert "libffi.so.8" in capsys.readouterr().err
