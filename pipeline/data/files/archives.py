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

import gzip
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast, final

from pipeline.data.files import tar_members
from pipeline.data.files.archive_member import TOO_LARGE, Member, damage, error
from pipeline.errors import UserError

__all__ = ["Archive", "open_archive"]

ZIP_KINDS = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "a symbolic link"}


@final
class Archive:
    """The regular files of an open archive; see :func:`open_archive`."""

    def __init__(
        self,
        path: Path,
        members: Callable[[], Iterator[Member]],
        content: Callable[[Member], bytes],
    ) -> None:
        self._path = path
        self._members = members
        self._content = content
        self._known: dict[str, Member] | None = None

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

    def _index(self) -> dict[str, Member]:
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
        raw: Callable[[], Iterator[Member]]
        content: Callable[[Member], bytes]
        if start in (b"PK\x03\x04", b"PK\x05\x06"):
            with damage(path):
                opened = stack.enter_context(zipfile.ZipFile(file))
            raw, content = partial(_zip_members, path, opened), partial(_zip_content, path, opened)
        else:
            tar = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=file))) if gzipped else file
            raw, content = (
                partial(tar_members.members, path, tar, gzipped),
                partial(tar_members.content, path, tar),
            )
        archive = Archive(path, lambda: _sound(path, raw(), most_files, most_bytes), content)
        if not gzipped:
            archive._index()
        yield archive


def _sound(path: Path, members: Iterator[Member], most_files: int, most_bytes: int) -> Iterator[Member]:
    """The regular files among the members, each checked; under names as plain as can be."""
    seen: set[str] = set()
    size = 0
    for count, member in enumerate(members, 1):
        if count > most_files:
            raise error(path, None, f"it has more than {most_files:,} members", TOO_LARGE)
        if member.kind not in ("file", "directory"):
            raise error(path, member.name, f"it is {member.kind}")
        name = _plain(path, member.name)
        if member.kind == "directory":
            continue
        if not name:
            raise error(path, member.name, "a file without a name")
        if name in seen:
            raise error(path, member.name, "there are two of this name")
        seen.add(name)
        size += member.size
        if size > most_bytes:
            raise error(path, None, f"its members come to more than {most_bytes:,} bytes", TOO_LARGE)
        if not _left_by_macos(name):
            yield Member(name, member.kind, member.size, member.place)


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
            raise error(path, name, what)
    return "/".join(part for part in parts if part not in ("", "."))


def _left_by_macos(name: str) -> bool:
    first, last = name.split("/")[0], name.split("/")[-1]
    return first == "__MACOSX" or last == ".DS_Store" or last.startswith("._")


def _zip_members(path: Path, archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        name = info.orig_filename  # filename is cut at a null byte
        if info.flag_bits & 0x2041:
            raise error(path, name, "it is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise error(
                path, name, f"it is compressed by method {info.compress_type}; deflate alone is read here"
            )
        kind = ZIP_KINDS.get(stat.S_IFMT(info.external_attr >> 16), "neither a file nor a directory")
        yield Member(
            name, "directory" if kind == "file" and name.endswith("/") else kind, info.file_size, info
        )


def _zip_content(path: Path, archive: zipfile.ZipFile, member: Member) -> bytes:
    # zipfile silently cuts a member at the length that it declares. Asked for one byte more, it either gives it, or finds
    # that its checksum is another.
    info = copy(cast(zipfile.ZipInfo, member.place))
    info.file_size += 1
    with damage(path, member.name), archive.open(info) as file:
        content = file.read(info.file_size)
    if len(content) != member.size:
        found = "more" if len(content) > member.size else f"{len(content):,}"
        raise error(path, member.name, f"it declares {member.size:,} bytes and holds {found}")
    return content
