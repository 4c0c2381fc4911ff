# SPDX-License-Identifier: LGPL-2.1-or-later
"""Saved states of virtual machines: open them, read their guest interface, judge, change and convert it.

Everything is done by libgimstate; this module holds no knowledge of formats. Objects are not thread-safe; different ones are independent.
"""
from __future__ import annotations

import ctypes
import json as _json
import os
from dataclasses import dataclass
from typing import Any, Iterator, Optional, Union

__all__ = ["Check", "Error", "Finding", "State", "Unit", "check", "open", "verify", "FINAL"]

Path = Union[str, "os.PathLike[str]"]

_UNKNOWN = 2**64 - 1
#: The pass of a unit that is no pass of a live save.
FINAL = 2**32 - 1
_SEVERITIES = ("note", "warning", "error")
_GIM, _GUEST = 1, 2

_lib = ctypes.CDLL(os.environ.get("GIMSTATE_LIBRARY", "libgimstate.so.0"))
_jansson = ctypes.CDLL("libjansson.so.4")
_libc = ctypes.CDLL(None)


class _Rule(ctypes.Structure):
    _fields_ = [("id", ctypes.c_char_p), ("severity", ctypes.c_int)]  # and more, which is not needed


class _Error(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_int),
        ("rule", ctypes.POINTER(_Rule)),
        ("offset", ctypes.c_uint64),
        ("payload_offset", ctypes.c_uint64),
        ("unit", ctypes.c_char * 272),
        ("path", ctypes.c_char * 128),
        ("text", ctypes.c_char * 256),
    ]


class _Finding(ctypes.Structure):
    _fields_ = [
        ("rule", ctypes.POINTER(_Rule)),
        ("severity", ctypes.c_int),
        ("offset", ctypes.c_uint64),
        ("unit", ctypes.c_char_p),
        ("path", ctypes.c_char_p),
        ("text", ctypes.c_char_p),
    ]


class _Unit(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char * 256),
        ("instance", ctypes.c_uint32),
        ("version", ctypes.c_uint32),
        ("pass_", ctypes.c_uint32),
        ("offset", ctypes.c_uint64),
        ("stored_bytes", ctypes.c_uint64),
        ("payload_bytes", ctypes.c_uint64),
        ("decodable", ctypes.c_bool),
    ]


_REPORT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(_Finding))
_SINK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_pointer = ctypes.c_void_p


def _declare(name: str, *arguments: Any, result: Any = ctypes.c_int) -> Any:
    function = getattr(_lib, name)
    function.argtypes, function.restype = arguments, result
    return function


_error_type = ctypes.POINTER(_Error)
_text = ctypes.c_char_p
_code_name = _declare("gim_code_name", ctypes.c_int, result=_text)
_state_open = _declare("gim_state_open_settled", _text, ctypes.POINTER(_pointer), _error_type)
_state_free = _declare("gim_state_free", ctypes.POINTER(_pointer), result=None)
_state_decode = _declare("gim_state_decode", _pointer, ctypes.c_uint, _REPORT, _pointer, _error_type)
_state_json = _declare("gim_state_json", _pointer, _text, ctypes.POINTER(_pointer), _error_type)
_state_set = _declare("gim_state_set", _pointer, _text, _text, _error_type)
_state_convert = _declare("gim_state_convert", _pointer, _text, _REPORT, _pointer, _error_type)
_layout_of_release = _declare("gim_layout_of_release", _pointer, _text, _text, ctypes.c_size_t, _error_type)
_state_write = _declare("gim_state_write", _pointer, _pointer, _SINK, _pointer, _error_type)
_unit_next = _declare("gim_unit_next", _pointer, ctypes.POINTER(_Unit), _error_type)
_unit_find = _declare("gim_unit_find", _pointer, _text, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(_Unit), _error_type)
_unit_read = _declare("gim_unit_read", _pointer, ctypes.POINTER(_Unit), _SINK, _pointer, _error_type)
_output_new = _declare("gim_output_new", _text, ctypes.c_bool, ctypes.POINTER(_pointer), _error_type)
_output_commit = _declare("gim_output_commit", ctypes.POINTER(_pointer), _error_type)
_output_discard = _declare("gim_output_discard", ctypes.POINTER(_pointer), result=None)
_verify = _declare("gim_verify", _text, _pointer, _REPORT, _pointer, _error_type)
_target_open = _declare("gim_target_open", _text, _text, ctypes.POINTER(_pointer), _error_type)
_target_free = _declare("gim_target_free", ctypes.POINTER(_pointer), result=None)
_check_open = _declare("gim_check_open", _text, _pointer, ctypes.POINTER(_pointer), _error_type)
_check_target = _declare("gim_check_target", _pointer, _pointer, _REPORT, _pointer, _error_type)
_check_free = _declare("gim_check_free", ctypes.POINTER(_pointer), result=None)
_jansson.json_dumps.argtypes, _jansson.json_dumps.restype = (_pointer, ctypes.c_size_t), _pointer
_jansson.json_delete.argtypes, _jansson.json_delete.restype = (_pointer,), None
_libc.free.argtypes, _libc.free.restype = (_pointer,), None
_output_write = ctypes.cast(_lib.gim_output_write, _SINK)


class Error(Exception):
    """What failed: a sentence, and where.

    code: the library's name for it, e.g. "truncated"; offset: a byte in the file, or None; payload_offset: one in the payload of unit, or None; path: the field, or None;
    rule: the id of the rule that the input breaks, or None.
    """

    def __init__(self, error: _Error) -> None:
        super().__init__(error.text.decode(errors="replace"))
        self.code: str = _code_name(error.code).decode()
        self.offset: Optional[int] = _known(error.offset)
        self.payload_offset: Optional[int] = _known(error.payload_offset)
        self.unit: Optional[str] = error.unit.decode(errors="replace") or None
        self.path: Optional[str] = error.path.decode(errors="replace") or None
        self.rule: Optional[str] = error.rule.contents.id.decode() if error.rule else None


@dataclass(frozen=True)
class Finding:
    """One thing that verify, check or convert has to say. severity is "note", "warning" or "error"."""

    rule: Optional[str]
    severity: str
    offset: Optional[int]
    unit: Optional[str]
    path: Optional[str]
    text: str


@dataclass(frozen=True)
class Unit:
    """A named part of a container. pass_ is FINAL but for passes of a live save; sizes are None where they are not known."""

    name: str
    instance: int
    version: int
    pass_: int
    offset: Optional[int]
    stored_bytes: Optional[int]
    payload_bytes: Optional[int]
    decodable: bool


@dataclass(frozen=True)
class Check:
    """A verdict: does the state fit, and what was found, the first that a loader meets first."""

    fits: bool
    findings: list[Finding]


def _new_error() -> _Error:
    return _Error(0, None, _UNKNOWN)


def _known(number: int) -> Optional[int]:
    return None if number == _UNKNOWN else number


def _decoded(text: Optional[bytes]) -> Optional[str]:
    return None if text is None else text.decode(errors="replace")


def _bytes(text: Path) -> bytes:
    """As C takes it: what stands behind a zero would be lost without a word."""
    taken = os.fsencode(text)
    if b"\0" in taken:
        raise ValueError("embedded null byte")
    return taken


def _gather(findings: list[Finding]) -> Any:
    def take(_user: Any, found: Any) -> None:
        finding = found.contents
        findings.append(
            Finding(
                _decoded(finding.rule.contents.id) if finding.rule else None,
                _SEVERITIES[finding.severity],
                _known(finding.offset),
                _decoded(finding.unit),
                _decoded(finding.path),
                _decoded(finding.text) or "",
            )
        )

    return _REPORT(take)


def _unit(raw: _Unit) -> Unit:
    return Unit(
        raw.name.decode(errors="replace"),
        raw.instance,
        raw.version,
        raw.pass_,
        _known(raw.offset),
        _known(raw.stored_bytes),
        _known(raw.payload_bytes),
        raw.decodable,
    )


class State:
    """An open state; use it in a with statement, or close it."""

    def __init__(self, path: Path) -> None:
        self._handle = _pointer()
        self._decoded = 0
        error = _new_error()
        if _state_open(_bytes(path), ctypes.byref(self._handle), ctypes.byref(error)):
            raise Error(error)

    def close(self) -> None:
        """End it. It may be closed already."""
        _state_free(ctypes.byref(self._handle))

    def __enter__(self) -> "State":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    def _open(self) -> _pointer:
        if not self._handle:
            raise ValueError("the state is closed")
        return self._handle

    def _decode(self, parts: int) -> None:
        error = _new_error()
        if parts & ~self._decoded and _state_decode(self._open(), parts, _gather([]), None, ctypes.byref(error)):
            raise Error(error)
        self._decoded |= parts

    def units(self) -> Iterator[Unit]:
        """All units in the order of the file, which is read once."""
        raw, error = _Unit(), _new_error()
        while True:
            result = _unit_next(self._open(), ctypes.byref(raw), ctypes.byref(error))
            if result < 0:
                raise Error(error)
            if result == 0:
                return
            yield _unit(raw)

    def payload(self, name: str, instance: int = 0, pass_: int = FINAL) -> bytes:
        """The unpacked bytes of a unit."""
        raw, error, pieces = _Unit(), _new_error(), []  # type: _Unit, _Error, list[bytes]

        def take(_user: Any, data: int, size: int) -> int:
            pieces.append(ctypes.string_at(data, size))
            return 0

        if _unit_find(self._open(), _bytes(name), instance, pass_, ctypes.byref(raw), ctypes.byref(error)) or _unit_read(
            self._open(), ctypes.byref(raw), _SINK(take), None, ctypes.byref(error)
        ):
            raise Error(error)
        return b"".join(pieces)

    def json(self, all_units: bool = False) -> dict[str, Any]:
        """The guest interface, with all_units also what other units say, as gimstate-json(5) has it."""
        self._decode(_GIM | (_GUEST if all_units else 0))
        made, error = _pointer(), _new_error()
        if _state_json(self._open(), None, ctypes.byref(made), ctypes.byref(error)):
            raise Error(error)
        text = _jansson.json_dumps(made, 0)
        # jansson's json_decref is inline: the count stands behind the type, and is atomic only among threads, of which there are none here.
        count = ctypes.cast(made.value + ctypes.sizeof(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t))
        count[0] -= 1
        if not count[0]:
            _jansson.json_delete(made)
        if not text:
            raise MemoryError
        try:
            return _json.loads(ctypes.string_at(text))
        finally:
            _libc.free(text)

    def set(self, path: str, value: str) -> None:
        """Change one field of the guest interface; value as on the command line: "7", "0x51", "+name,-name"."""
        self._decode(_GIM)
        error = _new_error()
        if _state_set(self._open(), _bytes(path), _bytes(value), ctypes.byref(error)):
            raise Error(error)

    def convert(self, to: str) -> list[Finding]:
        """Convert the interface to the layout of a release ("vbox:6.1"), or to a layout by name ("vbox-hyperv-3"). Findings of severity
        "error" are values that are lost."""
        self._decode(_GIM)
        layout, error, findings = _bytes(to), _new_error(), []  # type: bytes, _Error, list[Finding]
        if ":" in to:
            name = ctypes.create_string_buffer(64)
            if _layout_of_release(self._open(), layout, name, len(name), ctypes.byref(error)):
                raise Error(error)
            layout = name.value
        if _state_convert(self._open(), layout, _gather(findings), None, ctypes.byref(error)) < 0:
            raise Error(error)
        return findings

    def write(self, path: Path, replace: bool = False) -> None:
        """Write the state with the interface as it is now: a file that is whole at every moment. replace: there may be one already."""
        handle, output, error = self._open(), _pointer(), _new_error()
        if _output_new(_bytes(path), replace, ctypes.byref(output), ctypes.byref(error)):
            raise Error(error)
        if _state_write(handle, None, _output_write, output, ctypes.byref(error)):
            failure = Error(error)
            reason = _new_error()
            # A refused write is told by commit.
            if failure.code == "stopped" and _output_commit(ctypes.byref(output), ctypes.byref(reason)):
                failure = Error(reason)
            _output_discard(ctypes.byref(output))
            raise failure
        if _output_commit(ctypes.byref(output), ctypes.byref(error)):
            raise Error(error)


def open(path: Path) -> State:  # noqa: A001 (as in gzip and tarfile)
    """Open the state at path: a saved state, a bundle or JSON, compressed perhaps, or "ARCHIVE//NAME"."""
    return State(path)


def verify(path: Path) -> list[Finding]:
    """All that is wrong with the integrity of a file; it is whole when none is of severity "error"."""
    error, findings = _new_error(), []  # type: _Error, list[Finding]
    if _verify(_bytes(path), None, _gather(findings), None, ctypes.byref(error)) < 0:
        raise Error(error)
    return findings


def check(path: Path, target: str) -> Check:
    """Will the state load into target ("vbox:7.2", a .vbox file, a profile, "state:FILE") and run there?"""
    checked, opened, error, findings = _pointer(), _pointer(), _new_error(), []  # type: Any, Any, _Error, list[Finding]
    try:
        if _target_open(_bytes(target), _bytes(path), ctypes.byref(opened), ctypes.byref(error)) or _check_open(
            _bytes(path), None, ctypes.byref(checked), ctypes.byref(error)
        ):
            raise Error(error)
        result = _check_target(checked, opened, _gather(findings), None, ctypes.byref(error))
        if result < 0:
            raise Error(error)
        return Check(result == 0, findings)
    finally:
        _check_free(ctypes.byref(checked))
        _target_free(ctypes.byref(opened))
