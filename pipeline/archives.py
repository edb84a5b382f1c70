"""Members of tar, gzipped tar and zip archives, read in place: nothing is unpacked, so nothing is written to disk.

An archive is taken for what its first bytes say, whatever its name is, and read as if a stranger had sent it. What an
honest archive of data has no use for is an error that names the archive and the member: a name that leads out of the
archive, a link, a device, the same name twice, an encrypted member, more members or bytes than the caller said, a
member that holds other than it declares, a file that is cut short or damaged.

    format    index                        reading a member                          errors are known
    zip       at its end                   by its place                              on opening, but for contents
    tar       headers, from one to next    by its place                              on opening
    tar.gz    one pass of decompression    forward goes on from where it is,         of names: once `names` was asked;
                                           backward starts from the beginning        of `walk` alone: as it gets there

At any time one member's content is in memory, and the index.
"""

from __future__ import annotations

import errno
import gzip
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast, final

from pipeline.errors import UserError

__all__ = ["Archive", "open_archive"]

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
ZIP_KINDS = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "a symbolic link"}


@dataclass(frozen=True)
class _Member:
    name: str
    kind: str
    """``file``, ``directory``, or what else it is, in words."""
    size: int
    """Bytes of its content, as declared."""
    place: int | zipfile.ZipInfo
    """Where its content is in a tar; how zipfile knows it."""


@final
class Archive:
    """The regular files of an open archive; see :func:`open_archive`."""

    def __init__(
        self,
        path: Path,
        members: Callable[[], Iterator[_Member]],
        content: Callable[[_Member], bytes],
    ) -> None:
        self._path = path
        self._members = members
        self._content = content
        self._known: dict[str, _Member] | None = None

    @property
    def names(self) -> list[str]:
        """Sorted names of the regular files, ``/`` between folders, without a leading ``./``."""
        return sorted(self._index())

    def read(self, name: str) -> bytes:
        """The content of one of ``names``.

        Raises:
            UserError: there is no such member, or its content is damaged.
        """
        index = self._index()
        if name not in index:
            some = ", ".join(repr(other) for other in list(index)[:3])
            raise UserError(
                f"{self._path} has no member {name!r}. It has {len(index):,} files: {some or 'none'}"
                f"{', ...' if len(index) > 3 else ''}. Is it another archive than the one that is meant?"
            )
        return self._content(index[name])

    def walk(self, pattern: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
        """Name and content of the files whose whole name matches, in the archive's order: one pass, whatever the format.

        In a gzipped tar whose ``names`` were not asked before, what is wrong is found only when the pass gets there.
        """
        for member in self._members() if self._known is None else self._known.values():
            if pattern.fullmatch(member.name):
                yield member.name, self._content(member)

    def _index(self) -> dict[str, _Member]:
        if self._known is None:
            self._known = {member.name: member for member in self._members()}
        return self._known


@contextmanager
def open_archive(path: Path, *, most_files: int, most_bytes: int) -> Iterator[Archive]:
    """Open a zip, tar or tar.gz for reading its members in place.

    Args:
        most_files: the members it may have at the most, folders included.
        most_bytes: what they may come to at the most when decompressed.

    Raises:
        UserError: there is no such file, it is no archive, or there is something in it that should not be.
    """
    if not path.is_file():
        raise UserError(
            f"{path.absolute()}: there is no such file. Fetch it: dvc repro --force fetch@<data set>"
        )
    with ExitStack() as stack:
        file: BinaryIO = stack.enter_context(path.open("rb"))
        start = file.read(4)
        file.seek(0)
        gzipped = start[:2] == b"\x1f\x8b"
        raw: Callable[[], Iterator[_Member]]
        content: Callable[[_Member], bytes]
        if start in (b"PK\x03\x04", b"PK\x05\x06"):
            with _damage(path):
                opened = stack.enter_context(zipfile.ZipFile(file))
            raw, content = partial(_zip_members, path, opened), partial(_zip_content, path, opened)
        else:
            tar = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=file))) if gzipped else file
            raw, content = partial(_tar_members, path, tar, gzipped), partial(_tar_content, path, tar)
        archive = Archive(path, lambda: _sound(path, raw(), most_files, most_bytes), content)
        if not gzipped:
            archive._index()
        yield archive


def _sound(path: Path, members: Iterator[_Member], most_files: int, most_bytes: int) -> Iterator[_Member]:
    """The regular files among the members, each checked; under names as plain as can be."""
    seen: set[str] = set()
    size = 0
    for count, member in enumerate(members, 1):
        if count > most_files:
            raise _error(path, None, f"it has more than {most_files:,} members", TOO_LARGE)
        if member.kind not in ("file", "directory"):
            raise _error(path, member.name, f"it is {member.kind}")
        name = _plain(path, member.name)
        if member.kind == "directory":
            continue
        if not name:
            raise _error(path, member.name, "a file without a name")
        if name in seen:
            raise _error(path, member.name, "there are two of this name")
        seen.add(name)
        size += member.size
        if size > most_bytes:
            raise _error(path, None, f"its members come to more than {most_bytes:,} bytes", TOO_LARGE)
        if not _left_by_macos(name):
            yield _Member(name, member.kind, member.size, member.place)


def _plain(path: Path, name: str) -> str:
    """A member's name without ``./``, if it is one that stays inside."""
    parts = name.split("/")
    for suspicious, what in (
        (name.startswith("/"), "its name is absolute"),
        (".." in parts, "its name leads out of the archive"),
        ("\\" in name, "its name has a backslash"),
        (re.match("[A-Za-z]:", name), "its name has a drive letter"),
        (re.search("[\x00-\x1f\x7f]", name), "its name has control characters"),
    ):
        if suspicious:
            raise _error(path, name, what)
    return "/".join(part for part in parts if part not in ("", "."))


def _left_by_macos(name: str) -> bool:
    first, last = name.split("/")[0], name.split("/")[-1]
    return first == "__MACOSX" or last == ".DS_Store" or last.startswith("._")


def _zip_members(path: Path, archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        name = info.orig_filename  # filename is cut at a null byte
        if info.flag_bits & 0x2041:
            raise _error(path, name, "it is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _error(
                path, name, f"it is compressed by method {info.compress_type}; deflate alone is read here"
            )
        kind = ZIP_KINDS.get(stat.S_IFMT(info.external_attr >> 16), "neither a file nor a directory")
        yield _Member(
            name, "directory" if kind == "file" and name.endswith("/") else kind, info.file_size, info
        )


def _zip_content(path: Path, archive: zipfile.ZipFile, member: _Member) -> bytes:
    # zipfile silently cuts a member at the length that it declares. Asked for one byte more, it either gives it, or finds
    # that its checksum is another.
    info = copy(cast(zipfile.ZipInfo, member.place))
    info.file_size += 1
    with _damage(path, member.name), archive.open(info) as file:
        content = file.read(info.file_size)
    if len(content) != member.size:
        found = "more" if len(content) > member.size else f"{len(content):,}"
        raise _error(path, member.name, f"it declares {member.size:,} bytes and holds {found}")
    return content


def _tar_members(path: Path, file: BinaryIO, gzipped: bool) -> Iterator[_Member]:
    """Header after header. Nothing else reads the archive's structure; tarfile knows the fields of one header."""
    place = 0
    everywhere: dict[str, str] = {}
    here: dict[str, str] = {}
    extended = 0
    while (header := _header(path, file, place)) is not None:
        place += BLOCK
        padded = -(-header.size // BLOCK) * BLOCK
        if header.size < 0:
            raise _error(path, header.name, f"it declares {header.size:,} bytes")
        if header.type in EXTENDED:
            extended += 1
            if extended > MOST_HEADERS or header.size > LONGEST_HEADER:
                raise _error(path, header.name, "its extended headers are too many or too long")
            fields = _fields(path, header.type, _at(path, file, place, header.size))
            (everywhere if header.type == tarfile.XGLTYPE else here).update(fields)
            place += padded
            continue
        fields = everywhere | here
        name, size = fields.get("path", header.name), fields.get("size", str(header.size))
        if not re.fullmatch("[0-9]{1,18}", size):
            raise _error(path, name, f"it declares {size!r} bytes")
        kind = TAR_KINDS.get(header.type, f"of an unknown kind, {header.type!r}")
        yield _Member(name, "a sparse file" if SPARSE in fields else kind, int(size), place)
        if kind == "file":
            place += -(-int(size) // BLOCK) * BLOCK
        here, extended = {}, 0
    if gzipped:  # its checksum comes last, and so does the news that it was cut short
        with _damage(path):
            for _ in range(LONGEST_END // BLOCK):
                if not file.read(BLOCK):
                    return
        raise _error(path, None, "it goes on after its end")


def _header(path: Path, file: BinaryIO, place: int) -> tarfile.TarInfo | None:
    """The header at that place; None where the archive says that it ends."""
    with _damage(path):
        file.seek(place)
        block = file.read(BLOCK)
    if block == bytes(BLOCK):
        return None
    if place and len(block) < BLOCK:
        raise _error(path, None, CUT_SHORT)
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        what = f"it is damaged at byte {place:,}" if place else "it is neither a zip nor a tar nor a tar.gz"
        raise _error(path, None, what) from None


def _fields(path: Path, kind: bytes, content: bytes) -> dict[str, str]:
    """What matters here of an extended header: GNU's is a name, POSIX's is made of ``length key=value\n``."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.split(b"\0")[0].decode("utf-8", "surrogateescape")}
    fields = {}
    place = 0
    while kind != tarfile.GNUTYPE_LONGLINK and place < len(content):
        digits = content[place : place + 8].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = content[place + len(digits) + 1 : place + length]
        if len(record) != length - len(digits) - 1 or record[-1:] != b"\n" or b"=" not in record:
            raise _error(path, None, "it is damaged (an extended header is not made of records)")
        key, _, value = record[:-1].decode("utf-8", "surrogateescape").partition("=")
        if key in ("path", "size"):
            fields[key] = value
        elif key.startswith(SPARSE):
            fields[SPARSE] = ""
        place += length
    return fields


def _tar_content(path: Path, file: BinaryIO, member: _Member) -> bytes:
    return _at(path, file, cast(int, member.place), member.size)


def _at(path: Path, file: BinaryIO, place: int, size: int) -> bytes:
    """So many bytes at that place."""
    with _damage(path):
        file.seek(place)
        content = file.read(size)
    if len(content) < size:
        raise _error(path, None, CUT_SHORT)
    return content


@contextmanager
def _damage(path: Path, member: str | None = None) -> Iterator[None]:
    """Put what the standard library says of a damaged archive in words."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,
        ValueError,
        struct.error,
        OSError,
    ) as error:
        if (
            isinstance(error, OSError)
            and not isinstance(error, gzip.BadGzipFile)
            and error.errno != errno.EINVAL
        ):
            raise  # of the disk; the archive's own are a bad checksum, and a place before its beginning
        raise _error(path, member, f"it is cut short or damaged ({error})") from error


CUT_SHORT = "it is cut short"
AGAIN = "Remove the file and fetch it again from its official address. If it is the official one, please report this."
TOO_LARGE = "If it is the official one, the file of its data set in pipeline/datasets/ must allow for more; else remove it."


def _error(path: Path, member: str | None, what: str, cure: str = AGAIN) -> UserError:
    return UserError(f"{path}: {f'member {member!r}: ' if member is not None else ''}{what}. {cure}")
