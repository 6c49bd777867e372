"""Errors as they are recorded: whatever can be raised has a form that the library takes."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any, Callable, Optional, TypeVar

from .carried import failure_in, is_interrupt, wrapped
from .errors import Failure, InvalidError, Memoised, NotJson, TooBigError
from .payload import Codec, Json, compact

#: Bytes of a stack that are kept, from its end.
STACK_BYTES = 8_192
#: Characters of a sentence that are kept, from its start.
MESSAGE_CHARS = 16_384
#: How many errors deep causes are recorded.
CAUSES_MAX = 8

T = TypeVar("T")


def recorded(error: Any, codec: Codec, send: Callable[[Optional[str]], T]) -> T:
    """Exceptions are recorded in some form; a value as it is, or it is refused."""
    if isinstance(error, BaseException):
        return record(error, codec, send)
    return send(codec.write(error))


def record(error: Any, codec: Codec, send: Callable[[Optional[Json]], T]) -> T:
    """Sends an error in the best form that is accepted."""
    for form in forms(error, codec):
        try:
            return send(form)
        except (InvalidError, TooBigError):
            if form is None:
                raise
    raise AssertionError("the last form is None")


def forms(error: Any, codec: Codec) -> Iterator[Optional[Json]]:
    """What may be recorded of an error, the best first: its author's value, the document of an
    exception, that in short, nothing."""
    if isinstance(error, BaseException):
        error = failure_in(error)
    value = error.error if isinstance(error, Failure) else error
    if not isinstance(value, BaseException):
        try:
            yield Json(codec.write(value))
        except NotJson:
            pass
        value = error if isinstance(error, Failure) else Failure(error)
    yield Json(document(value))
    yield Json("{" + f'"type":{quoted(type(value).__name__)},"message":{quoted(said(value))}' + "}")
    yield None


def document(error: BaseException, depth: int = 0) -> str:
    """``{"type", "message", "stack", "cause"}`` as JSON; only the outermost has a stack."""
    parts = [f'"type":{quoted(type(error).__name__)}', f'"message":{quoted(said(error))}']
    if depth == 0:
        parts.append(f'"stack":{quoted(stack_of(error))}')
    cause = wrapped(error)
    if isinstance(error, Memoised):
        parts.append(f'"cause":{error.error_text or "null"}')
    elif cause is not None and depth < CAUSES_MAX:
        parts.append(f'"cause":{document(cause, depth + 1)}')
    return "{" + ",".join(parts) + "}"


def said(error: BaseException) -> str:
    """The sentence of an error, or that it has none to give."""

    def text() -> str:
        if isinstance(error, Failure):
            return error.args[0] if isinstance(error.args[0], str) else repr(error.args[0])
        return str(error)

    found = _guarded(text, "its text")
    return found if len(found) <= MESSAGE_CHARS else found[:MESSAGE_CHARS] + " [...]"


def stack_of(error: BaseException) -> str:
    """The trace, at most :data:`STACK_BYTES`, its end kept."""

    def text() -> str:
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))

    cut = clean(_guarded(text, "its trace")).encode("utf-8")[-STACK_BYTES:]
    return cut.decode("utf-8", "ignore")


def _guarded(text: Callable[[], str], what: str) -> str:
    try:
        return text()
    except BaseException as raised:
        if is_interrupt(raised):
            raise
        return f"<{what} cannot be had: {type(raised).__name__}>"


def clean(text: str) -> str:
    """The text as Unicode: what is none of it, is written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def quoted(text: str) -> str:
    return compact(clean(text))
