"""The members of a tar: header after header of 512 bytes, each before its content.

Nothing else reads the archive's structure; the standard library's tarfile, which takes a damaged header for the end, knows the fields
of one header. Extended headers (POSIX's pax records, GNU's long names) come before the header that they are of.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.data.files.archive_member import CUT_SHORT, Member, damage, error

__all__ = ["content", "members"]

BLOCK = 512
LONGEST_HEADER = 1 << 20
"""Bytes of a tar's extended header: a long name is all that an archive of data has in it."""
MOST_HEADERS = 16
"""Extended headers before one member."""
LONGEST_END = 1 << 24
"""Bytes after a gzipped tar's end; tar fills up to its block, 10 KiB as a rule."""

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


def members(path: Path, file: BinaryIO, gzipped: bool) -> Iterator[Member]:
    """The members in the archive's order."""
    place = 0
    everywhere: dict[str, str] = {}
    here: dict[str, str] = {}
    extended = 0
    while (header := _header(path, file, place)) is not None:
        place += BLOCK
        padded = -(-header.size // BLOCK) * BLOCK
        if header.size < 0:
            raise error(path, header.name, f"it declares {header.size:,} bytes")
        if header.type in EXTENDED:
            extended += 1
            if extended > MOST_HEADERS or header.size > LONGEST_HEADER:
                raise error(path, header.name, "its extended headers are too many or too long")
            fields = _fields(path, header.type, _at(path, file, place, header.size))
            (everywhere if header.type == tarfile.XGLTYPE else here).update(fields)
            place += padded
            continue
        fields = everywhere | here
        name, size = fields.get("path", header.name), fields.get("size", str(header.size))
        if not re.fullmatch("[0-9]{1,18}", size):
            raise error(path, name, f"it declares {size!r} bytes")
        kind = TAR_KINDS.get(header.type, f"of an unknown kind, {header.type!r}")
        yield Member(name, "a sparse file" if SPARSE in fields else kind, int(size), place)
        if kind == "file":
            place += -(-int(size) // BLOCK) * BLOCK
        here, extended = {}, 0
    if gzipped:  # its checksum comes last, and so does the news that it was cut short
        with damage(path):
            for _ in range(LONGEST_END // BLOCK):
                if not file.read(BLOCK):
                    return
        raise error(path, None, "it goes on after its end")


def _header(path: Path, file: BinaryIO, place: int) -> tarfile.TarInfo | None:
    """The header at that place; None where the archive says that it ends."""
    with damage(path):
        file.seek(place)
        block = file.read(BLOCK)
    if block == bytes(BLOCK):
        return None
    if place and len(block) < BLOCK:
        raise error(path, None, CUT_SHORT)
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        what = f"it is damaged at byte {place:,}" if place else "it is neither a zip nor a tar nor a tar.gz"
        raise error(path, None, what) from None


def _fields(path: Path, kind: bytes, text: bytes) -> dict[str, str]:
    """What matters here of an extended header: GNU's is a name, POSIX's is made of ``length key=value\n``."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": text.split(b"\0")[0].decode("utf-8", "surrogateescape")}
    fields = {}
    place = 0
    while kind != tarfile.GNUTYPE_LONGLINK and place < len(text):
        digits = text[place : place + 8].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = text[place + len(digits) + 1 : place + length]
        if len(record) != length - len(digits) - 1 or record[-1:] != b"\n" or b"=" not in record:
            raise error(path, None, "it is damaged (an extended header is not made of records)")
        key, _, value = record[:-1].decode("utf-8", "surrogateescape").partition("=")
        if key in ("path", "size"):
            fields[key] = value
        elif key.startswith(SPARSE):
            fields[SPARSE] = ""
        place += length
    return fields


def content(path: Path, file: BinaryIO, member: Member) -> bytes:
    """The bytes of a member."""
    return _at(path, file, cast(int, member.place), member.size)


def _at(path: Path, file: BinaryIO, place: int, size: int) -> bytes:
    """So many bytes at that place."""
    with damage(path):
        file.seek(place)
        found = file.read(size)
    if len(found) < size:
        raise error(path, None, CUT_SHORT)
    return found
