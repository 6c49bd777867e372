"""Where the library is looked for: what is named, beside the package, the system; nowhere else.
What is said where none is, or one that does not fit."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import smolwf
from smolwf._library import SERVED, lib, library_path

from .conftest import REPOSITORY

PACKAGE = REPOSITORY / "clients" / "python" / "smolwf"
PLACES = ("", "target/debug", "target/release", "include", "lib", "smolwf", "share/smolwf")


def said(code: str, cwd: Path, *packages: Path, **variables: str) -> str:
    """Runs a program that knows of the library what the arguments say, and returns what it says."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("SMOLWF_")}
    env.update(variables, PYTHONPATH=os.pathsep.join(map(str, packages)))
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True
    )
    return child.stdout + child.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package six folders deep, without a library or declarations beside it."""
    copy = tmp_path / "a/b/c/d/e/smolwf"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.cdef", "*.so*", "__pycache__"))
    return copy


def plant(*folders: Path) -> None:
    for folder in folders:
        for place in PLACES:
            (folder / place).mkdir(parents=True, exist_ok=True)
            for name in ("libsmolwf.so.0", "libsmolwf.so", "smolwf.cdef"):
                (folder / place / name).write_text("planted")


def test_a_library_planted_in_a_folder_above_or_where_the_process_is_is_not_loaded(
    copy: Path, tmp_path: Path
) -> None:
    shutil.copy(REPOSITORY / "include" / "smolwf.cdef", tmp_path / "asked.cdef")
    above = [folder for folder in copy.parents if tmp_path in (folder, *folder.parents)]
    # Beside the package is not beside its folder: `PLACES` has the name of that.
    plant(*above[1:], tmp_path / "cwd")
    code = "import smolwf._library as it; print('loaded', it.library_path)"
    for cwd in (tmp_path / "cwd", tmp_path):
        loaded = said(code, cwd, copy.parent, SMOLWF_CDEF=str(tmp_path / "asked.cdef"))
        is_refused = (
            "Tried: libsmolwf.so.0: " in loaded
            and str(tmp_path / "a") not in loaded.split("Tried")[1]
        )
        assert is_refused or loaded == "loaded libsmolwf.so.0\n", loaded


def test_declarations_planted_in_a_folder_above_are_not_read(copy: Path, tmp_path: Path) -> None:
    above = [folder for folder in copy.parents if tmp_path in (folder, *folder.parents)]
    plant(*above[1:])
    read = said("import smolwf._library", tmp_path, copy.parent)
    assert "smolwf.cdef is not here" in read or "Tried: libsmolwf.so.0" in read, read


@pytest.mark.parametrize("name", ["libsmolwf.so.0", "libsmolwf.so"])
def test_the_library_beside_the_package_is_loaded(copy: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(REPOSITORY / "include" / "smolwf.cdef", copy)
    (copy / name).symlink_to(Path(library_path).resolve())
    code = "import smolwf._library as it; print(it.library_path)"
    # A variable that is there and empty names nothing.
    assert said(code, tmp_path, copy.parent, SMOLWF_LIBRARY="") == f"{copy / name}\n"


def test_the_declarations_installed_with_the_named_library_are_read(
    copy: Path, tmp_path: Path
) -> None:
    for folder in ("lib", "share/smolwf"):
        (tmp_path / "prefix" / folder).mkdir(parents=True)
    library = tmp_path / "prefix" / "lib" / "libsmolwf.so"
    shutil.copy(library_path, library)
    shutil.copy(REPOSITORY / "include" / "smolwf.cdef", tmp_path / "prefix/share/smolwf")
    code = "import smolwf; print(smolwf.version())"
    found = said(code, tmp_path, copy.parent, SMOLWF_LIBRARY=str(library))
    assert found == f"{smolwf.version()}\n"


def test_where_no_library_is_the_import_says_which_platforms_are_served(
    copy: Path, tmp_path: Path
) -> None:
    shutil.copy(REPOSITORY / "include" / "smolwf.cdef", copy)
    absent = str(tmp_path / "absent.so")
    said_here = said("import smolwf", tmp_path, copy.parent, SMOLWF_LIBRARY=absent)
    assert f"here, {platform.system()} on {platform.machine()}" in said_here
    assert f"Packages with one serve {SERVED}." in said_here
    assert "make build" in said_here
    assert f"Tried: {absent}: " in said_here


@pytest.mark.parametrize(
    ("name", "number", "version", "abi"),
    [("SW_VERSION_NUMBER", 0x00_63_01, "0.99.1", 0), ("SW_ABI_VERSION", 77, "0.1.0", 77)],
)
def test_a_package_and_a_library_that_do_not_fit_are_told_by_both_versions(
    copy: Path, tmp_path: Path, name: str, number: int, version: str, abi: int
) -> None:
    declared = (REPOSITORY / "include" / "smolwf.cdef").read_text()
    changed = re.sub(rf"{name} = \d+", f"{name} = {number}", declared)
    (copy / "smolwf.cdef").write_text(changed)
    refused = said("import smolwf", tmp_path, copy.parent, SMOLWF_LIBRARY=library_path)
    its = f"the library is smolwf {smolwf.version()} (ABI {lib.sw_abi_version()})"
    assert f"{library_path} does not fit: {its}, " in refused
    assert f"this package is for {version} (ABI {abi})" in refused


def test_a_library_of_another_patch_fits(copy: Path, tmp_path: Path) -> None:
    declared = (REPOSITORY / "include" / "smolwf.cdef").read_text()
    patched = f"SW_VERSION_NUMBER = {smolwf.version_number() ^ 1}"
    changed = re.sub(r"SW_VERSION_NUMBER = \d+", patched, declared)
    (copy / "smolwf.cdef").write_text(changed)
    code = "import smolwf; print(smolwf.version())"
    fits = said(code, tmp_path, copy.parent, SMOLWF_LIBRARY=library_path)
    assert fits == f"{smolwf.version()}\n"
