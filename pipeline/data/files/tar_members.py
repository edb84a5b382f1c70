"""The members of a tar: header after header of 512 bytes, each before its content.

Python's ``tarfile`` parses the fields of one header; the structure is read here, because ``tarfile`` takes a
damaged header for the end of the archive. Extended headers (POSIX's pax records, GNU's long names) come
before the header that they extend.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.data.files.damage import damage
from pipeline.errors import UserError

__all__ = ["Member", "content", "invalid", "members"]

BLOCK = 512
LONGEST_HEADER = 1 << 20
"""Bytes of an extended header; an archive of data needs one for a long name only."""
MOST_HEADERS = 16
"""Extended headers before one member."""
LONGEST_END = 1 << 24
"""Bytes after the end of a gzipped tar: tar pads to its block, usually 10 KiB."""

AGAIN = (
    "Remove the file and fetch it again from its official address. If it is the official one, please report "
    "this."
)
CUT_SHORT = "it is cut short"

TAR_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
SPARSE = "GNU.sparse."


@dataclass(frozen=True)
class Member:
    """A file, a folder or something else."""

    name: str
    kind: str
    """``file``, ``directory``, or another kind, in words."""
    size: int
    """Bytes of its content, as declared."""
    offset: int
    """Where its content begins."""


def invalid(path: Path, member: str | None, what: str, cure: str = AGAIN) -> UserError:
    """The error that names the archive, the member, the problem and the cure."""
    return UserError(f"{path}: {f'member {member!r}: ' if member is not None else ''}{what}. {cure}")


def members(path: Path, file: BinaryIO, gzipped: bool) -> Iterator[Member]:
    """The members in the archive's order."""
    offset = 0
    everywhere: dict[str, str] = {}
    here: dict[str, str] = {}
    extended = 0
    while (header := _header(path, file, offset)) is not None:
        offset += BLOCK
        padded = -(-header.size // BLOCK) * BLOCK
        if header.size < 0:
            raise invalid(path, header.name, f"it declares {header.size:,} bytes")
        if header.type in EXTENDED:
            extended += 1
            if extended > MOST_HEADERS or header.size > LONGEST_HEADER:
                raise invalid(path, header.name, "its extended headers are too many or too long")
            fields = _fields(path, header.type, _read(path, file, offset, header.size))
            (everywhere if header.type == tarfile.XGLTYPE else here).update(fields)
            offset += padded
            continue
        fields = everywhere | here
        name, size = fields.get("path", header.name), fields.get("size", str(header.size))
        if not re.fullmatch("[0-9]{1,18}", size):
            raise invalid(path, name, f"it declares {size!r} bytes")
        kind = TAR_KINDS.get(header.type, f"of an unknown kind, {header.type!r}")
        yield Member(name, "a sparse file" if SPARSE in fields else kind, int(size), offset)
        if kind == "file":
            offset += -(-int(size) // BLOCK) * BLOCK
        here, extended = {}, 0
    if gzipped:  # its checksum comes last, so only its end shows whether it is whole
        with _damage(path):
            for _ in range(LONGEST_END // BLOCK):
                if not file.read(BLOCK):
                    return
        raise invalid(path, None, "it goes on after its end")


def _header(path: Path, file: BinaryIO, offset: int) -> tarfile.TarInfo | None:
    """The header at an offset; None at the block of zeros that ends the archive."""
    with _damage(path):
        file.seek(offset)
        block = file.read(BLOCK)
    if block == bytes(BLOCK):
        return None
    if offset and len(block) < BLOCK:
        raise invalid(path, None, CUT_SHORT)
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        what = f"it is damaged at byte {offset:,}" if offset else "it is neither a tar nor a tar.gz"
        raise invalid(path, None, what) from None


def _fields(path: Path, kind: bytes, text: bytes) -> dict[str, str]:
    """The relevant fields of an extended header: GNU's is a name, POSIX's has lines ``length key=value``."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": text.split(b"\0")[0].decode("utf-8", "surrogateescape")}
    fields = {}
    start = 0
    while kind != tarfile.GNUTYPE_LONGLINK and start < len(text):
        digits = text[start : start + 8].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = text[start + len(digits) + 1 : start + length]
        if len(record) != length - len(digits) - 1 or record[-1:] != b"\n" or b"=" not in record:
            raise invalid(path, None, "it is damaged (an extended header is not made of records)")
        key, _, value = record[:-1].decode("utf-8", "surrogateescape").partition("=")
        if key in ("path", "size"):
            fields[key] = value
        elif key.startswith(SPARSE):
            fields[SPARSE] = ""
        start += length
    return fields


def content(path: Path, file: BinaryIO, member: Member) -> bytes:
    """The bytes of a member."""
    return _read(path, file, member.offset, member.size)


def _read(path: Path, file: BinaryIO, offset: int, size: int) -> bytes:
    with _damage(path):
        file.seek(offset)
        found = file.read(size)
    if len(found) < size:
        raise invalid(path, None, CUT_SHORT)
    return found


def _damage(path: Path) -> AbstractContextManager[None]:
    return damage(f"{path}: it is cut short or damaged", AGAIN)
