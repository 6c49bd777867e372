"""Whatever a program may call says what it does."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import smolwf


def members(of: type) -> Iterator[tuple[str, Any]]:
    """What a class defines for its users, itself or by a part that it is put together of."""
    for part in of.__mro__:
        if part.__module__.startswith("smolwf"):
            for name, member in vars(part).items():
                is_called = inspect.isroutine(inspect.unwrap(member)) or isinstance(
                    member, (property, classmethod, staticmethod)
                )
                if is_called and not name.startswith("_"):
                    yield f"{of.__name__}.{name}", member


def undocumented(named: dict[str, Any]) -> list[str]:
    asked = dict(named)
    for found in named.values():
        if inspect.isclass(found):
            asked.update(members(found))
    return [name for name, it in asked.items() if not (it.__doc__ or "").strip()]


def test_whatever_is_public_has_a_docstring() -> None:
    public = {name: getattr(smolwf, name) for name in smolwf.__all__}
    called = {
        name: it for name, it in public.items() if inspect.isclass(it) or inspect.isroutine(it)
    }
    assert len(called) > 60
    assert undocumented(called) == []


def test_what_lacks_one_is_found() -> None:
    class Bare:
        """Says what it is."""

        def said(self) -> None:
            """Says what it does."""

        def silent(self) -> None: ...

        @property
        def quiet(self) -> int:
            return 1

    Bare.__module__ = "smolwf.bare"
    assert undocumented({"Bare": Bare}) == ["Bare.silent", "Bare.quiet"]
