"""Reading a tar or tar.gz without a known checksum: its files are read in place, nothing is unpacked to disk.

Such an archive may be anything, so it is read as if a stranger had sent it. An error names the archive and
the member if a name leads out of the archive or appears twice, if a member is a link or a device, if there
are more members or bytes than the caller allows, or if the archive is cut short or damaged. An archive whose
checksum is known needs none of this: Python's ``tarfile`` or ``zipfile`` reads it.

    format    index                       reading a member                  when errors appear
    tar       header after header         seeks to its offset               on opening
    tar.gz    one decompression pass      forward from the last offset,     of `names` and `read`: at once
                                          backward from the beginning       of `walk`: when it gets there

Memory holds the index and the content of one member.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast, final

from pipeline.data.files import tar_members
from pipeline.data.files.tar_members import Member, invalid
from pipeline.errors import UserError

__all__ = ["Archive", "open_archive"]

TOO_LARGE = (
    "If it is the official one, the file of its data set in pipeline/data/datasets/ must allow for more; "
    "else remove it."
)


@final
class Archive:
    """The regular files of an open archive; see :func:`open_archive`."""

    def __init__(self, path: Path, file: BinaryIO, gzipped: bool, most_files: int, most_bytes: int) -> None:
        self._path, self._file, self._gzipped = path, file, gzipped
        self._most_files, self._most_bytes = most_files, most_bytes
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
                f"{', ...' if len(index) > 3 else ''}. Is it the right archive?"
            )
        return self._content(index[name])

    def walk(self, pattern: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
        """Name and content of the files whose whole name matches, in the archive's order and in one pass.

        In a tar.gz whose ``names`` have not been read yet, errors appear only when the pass gets to them.
        """
        for member in self._members() if self._known is None else self._known.values():
            if pattern.fullmatch(member.name):
                yield member.name, self._content(member)

    def _index(self) -> dict[str, Member]:
        if self._known is None:
            self._known = {member.name: member for member in self._members()}
        return self._known

    def _content(self, member: Member) -> bytes:
        return tar_members.content(self._path, self._file, member)

    def _members(self) -> Iterator[Member]:
        """The regular files among the members, each checked, with names in their plainest form."""
        seen: set[str] = set()
        size = 0
        for count, member in enumerate(tar_members.members(self._path, self._file, self._gzipped), 1):
            if count > self._most_files:
                raise invalid(self._path, None, f"it has more than {self._most_files:,} members", TOO_LARGE)
            if member.kind not in ("file", "directory"):
                raise invalid(self._path, member.name, f"it is {member.kind}")
            name = _plain(self._path, member.name)
            if member.kind == "directory":
                continue
            if not name:
                raise invalid(self._path, member.name, "a file without a name")
            if name in seen:
                raise invalid(self._path, member.name, "there are two of this name")
            seen.add(name)
            size += member.size
            if size > self._most_bytes:
                what = f"its members have more than {self._most_bytes:,} bytes together"
                raise invalid(self._path, None, what, TOO_LARGE)
            if not _left_by_macos(name):
                yield Member(name, member.kind, member.size, member.offset)


@contextmanager
def open_archive(path: Path, *, most_files: int, most_bytes: int) -> Iterator[Archive]:
    """Open a tar or tar.gz, whichever its first bytes say it is, to read its members in place.

    Args:
        most_files: the largest number of members it may have, folders included.
        most_bytes: the largest number of bytes its members may have together, decompressed.

    Raises:
        UserError: there is no such file, it is no archive, or it has a member that it should not have.
    """
    if not path.is_file():
        raise UserError(
            f"{path.absolute()}: there is no such file. Fetch it: dvc repro --force fetch@<data set>"
        )
    with ExitStack() as stack:
        file: BinaryIO = stack.enter_context(path.open("rb"))
        gzipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if gzipped:
            file = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=file)))
        archive = Archive(path, file, gzipped, most_files, most_bytes)
        if not gzipped:
            archive._index()
        yield archive


def _plain(path: Path, name: str) -> str:
    """A member's name without ``./``. Raises UserError unless it stays inside the archive."""
    parts = name.split("/")
    for suspicious, what in (
        (name.startswith("/"), "its name is absolute"),
        (".." in parts, "its name leads out of the archive"),
        ("\\" in name, "its name has a backslash"),
        (re.match("[A-Za-z]:", name), "its name has a drive letter"),
        (re.search("[\x00-\x1f\x7f]", name), "its name has control characters"),
    ):
        if suspicious:
            raise invalid(path, name, what)
    return "/".join(part for part in parts if part not in ("", "."))


def _left_by_macos(name: str) -> bool:
    first, last = name.split("/")[0], name.split("/")[-1]
    return first == "__MACOSX" or last == ".DS_Store" or last.startswith("._")
