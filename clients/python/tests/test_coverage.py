"""The package serves the whole header."""

from __future__ import annotations

import re

import pytest

import smolwf
from smolwf import errors
from smolwf._library import lib

from .conftest import REPOSITORY

CDEF = (REPOSITORY / "include" / "smolwf.cdef").read_text("ascii")
PACKAGE = REPOSITORY / "clients" / "python" / "smolwf"


def test_the_package_uses_every_function_of_the_header_and_no_other() -> None:
    declared = set(re.findall(r"\b(sw_\w+)\(", CDEF))
    sources = "".join(path.read_text("utf-8") for path in PACKAGE.glob("*.py"))
    used = set(re.findall(r"\blib\.(sw_\w+)", sources))
    assert len(declared) > 40
    assert declared - used == set()
    assert used - declared == set()


def test_the_answers_are_those_of_the_header() -> None:
    declared = dict(re.findall(r"^  SW_(\w+) = (\d),$", CDEF, re.MULTILINE)[:7])
    assert {code.name: str(code.value) for code in smolwf.Code} == declared


def test_every_error_code_of_the_header_has_its_exception_and_the_other_way_round() -> None:
    declared = re.findall(r"^  (SW_ERR_\w+) = (-\d+),$", CDEF, re.MULTILINE)
    assert {int(code) for _, code in declared} == set(errors.BY_CODE)
    for name, code in declared:
        kind = errors.BY_CODE[int(code)]
        words = name[len("SW_ERR_") :].split("_")
        called = kind.__name__.upper()
        assert called.startswith(("".join(words), "INPUTOUTPUT", "NOMEMORY")), (name, called)
        assert smolwf.code_name(int(code)) == name


def test_constants_are_those_of_the_header() -> None:
    assert smolwf.FOREVER == lib.SW_FOREVER
    assert smolwf.LEASE_WHILE_ALIVE == lib.SW_LEASE_WHILE_ALIVE
    assert smolwf.Durability.POWER == lib.SW_DURABILITY_POWER
    assert smolwf.Durability.PROCESS == lib.SW_DURABILITY_PROCESS
    assert lib.SW_NTS == 2**64 - 1


def test_a_function_that_is_missing_is_an_error_that_names_it() -> None:
    with pytest.raises(smolwf.UnsupportedError, match="sw_no_such_function is not in"):
        lib.sw_no_such_function()


def test_the_version_is_that_of_the_header() -> None:
    assert smolwf.version_number() == lib.SW_VERSION_NUMBER
    assert (
        smolwf.version() == f"{lib.SW_VERSION_MAJOR}.{lib.SW_VERSION_MINOR}.{lib.SW_VERSION_PATCH}"
    )
    assert "sqlite" in str(smolwf.build_info()).lower()


def test_every_public_name_is_there() -> None:
    assert [name for name in smolwf.__all__ if not hasattr(smolwf, name)] == []
