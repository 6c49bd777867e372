"""Finds libsmolwf, checks its version, and carries calls to it.

The declarations are those of ``smolwf.cdef``, beside this file or beside the library. A function is
looked up when it is first called, so a library that lacks one fails at that call.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

from cffi import FFI

from .errors import UnsupportedError, error_of

_PACKAGE = Path(__file__).resolve().parent
_SYSTEM_NAME = "libsmolwf.so.0"
#: For which platforms there are packages with a library in them.
SERVED = "Linux on x86_64 and aarch64 with glibc 2.17 or newer, Linux on x86_64 with musl 1.2"


def _libraries() -> Iterator[str]:
    """Where the library may be: where SMOLWF_LIBRARY says, else beside the package, else where the
    system looks. Who can write beside the package can write this code; no other folder is asked."""
    if os.environ.get("SMOLWF_LIBRARY"):
        yield os.environ["SMOLWF_LIBRARY"]
        return
    beside = (_PACKAGE / name for name in (_SYSTEM_NAME, "libsmolwf.so"))
    yield from (str(path) for path in beside if path.is_file())
    yield _SYSTEM_NAME


def _open_library() -> tuple[Any, str]:
    tried = []
    for path in _libraries():
        try:
            return ffi.dlopen(path), path
        except OSError as error:
            tried.append(f"{path}: {error}")
    here = " ".join((platform.system(), "on", platform.machine(), *platform.libc_ver())).strip()
    raise ImportError(
        f"no libsmolwf can be loaded here, {here}. Packages with one serve {SERVED}. Elsewhere "
        "build it from the sources (make build; Rust 1.89 or newer) and name it in SMOLWF_LIBRARY, "
        "or install it (make install). Tried: " + "; ".join(tried)
    )


def _declarations() -> str:
    """Reads smolwf.cdef: where SMOLWF_CDEF says, else beside the package, else as installed with
    the library."""
    asked = os.environ.get("SMOLWF_CDEF")
    places = [Path(asked)] if asked else [_PACKAGE / "smolwf.cdef"]
    if not asked:
        library = os.environ.get("SMOLWF_LIBRARY")
        near = [Path(library).resolve().parent.parent / "share"] if library else []
        shares = [*near, Path("/usr/local/share"), Path("/usr/share")]
        places += [share / "smolwf" / "smolwf.cdef" for share in shares]
    for place in places:
        if place.is_file():
            return place.read_text("utf-8")
    raise ImportError(f"smolwf.cdef is not here; copy it to {_PACKAGE}, or name it in SMOLWF_CDEF")


ffi: Any = FFI()
ffi.cdef(_declarations())
_loaded, library_path = _open_library()
NULL = ffi.NULL
NTS: int = _loaded.SW_NTS


class _Library:
    """The functions and constants of the library, each looked up once."""

    def __getattr__(self, name: str) -> Any:
        try:
            found = getattr(_loaded, name)
        except AttributeError:
            raise UnsupportedError(
                -6, f"{name} is not in {library_path} or not in its smolwf.cdef: {_versions()}"
            ) from None
        setattr(self, name, found)
        return found


lib = _Library()

# cffi takes a lock where it first meets a function or type. A fork while another thread has it
# would leave it held in the child for ever.
_lock = getattr(ffi, "_lock", None)
if _lock is not None:
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def _dotted(number: int) -> str:
    return f"{number >> 16}.{number >> 8 & 255}.{number & 255}"


def _versions() -> str:
    """What the library is and what the package was made for."""
    its, ours = lib.sw_version_number(), lib.SW_VERSION_NUMBER
    return (
        f"the library is smolwf {_dotted(its)} (ABI {lib.sw_abi_version()}), "
        f"this package is for {_dotted(ours)} (ABI {lib.SW_ABI_VERSION})"
    )


def _check_version() -> None:
    """An ABI stays what it is, but for 0, which may change with each minor version."""
    is_preview = lib.SW_ABI_VERSION == 0
    is_near = lib.sw_version_number() >> 8 == lib.SW_VERSION_NUMBER >> 8
    if lib.sw_abi_check(lib.SW_ABI_VERSION) != 0 or (is_preview and not is_near):
        raise ImportError(f"{library_path} does not fit: {_versions()}; use those of one version")


_check_version()


def call(function: Callable[..., int], *arguments: Any) -> int:
    """Calls a function whose last parameter is ``sw_error **``; raises what is below 0."""
    err = ffi.new("sw_error **")
    code = function(*arguments, err)
    if code < 0:
        raise _raised(code, err[0])
    return code


def _raised(code: int, error: Any) -> Exception:
    """Makes an exception of an error object and frees that."""
    if error == NULL:
        return error_of(code, "", code_name(code))
    try:
        code = lib.sw_error_code(error)
        message = ffi.string(lib.sw_error_message(error)).decode("utf-8", "replace")
        engine_code = lib.sw_error_engine_code(error)
        is_retryable = bool(lib.sw_error_is_retryable(error))
        return error_of(
            lib.sw_error_code(error), message, code_name(code), engine_code, is_retryable
        )
    finally:
        lib.sw_error_free(error)


def code_name(code: int) -> str:
    """The name of a code, ``SW_ERR_BUSY``; ``SW_UNKNOWN`` for what is none."""
    name: bytes = ffi.string(lib.sw_code_name(code))
    return name.decode("ascii")


def text(value: Optional[str]) -> tuple[Any, int]:
    """A text parameter: pointer and length, absent for None."""
    if value is None:
        return NULL, 0
    encoded = value.encode("utf-8")
    return encoded, len(encoded)


def id_from(function: Callable[..., int], *arguments: Any) -> tuple[int, str]:
    """Calls a function that ends with ``char *out_id, size_t cap, err``."""
    out = ffi.new("char[]", lib.SW_ID_CAP)
    code = call(function, *arguments, out, lib.SW_ID_CAP)
    return code, ffi.string(out).decode("ascii")


def text_from(function: Callable[..., int], *arguments: Any) -> tuple[int, Optional[str]]:
    """Calls a function that ends with ``sw_text **out, err``; None for an answer without text."""
    out = ffi.new("sw_text **")
    code = call(function, *arguments, out)
    if out[0] == NULL:
        return code, None
    try:
        return code, view(lib.sw_text_data, out[0])
    finally:
        lib.sw_text_free(out[0])


def view(function: Callable[..., Any], handle: Any) -> Optional[str]:
    """Copies a text that an object lends; None when it has none."""
    length = ffi.new("size_t *")
    found = function(handle, length)
    if found == NULL:
        return None
    encoded: bytes = ffi.buffer(found, length[0])[:]
    return encoded.decode("utf-8")
