"""What is known of an archive's member before its content, and how what is wrong with an archive is said."""

from __future__ import annotations

import errno
import gzip
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError

__all__ = ["CUT_SHORT", "TOO_LARGE", "Member", "damage", "error"]

CUT_SHORT = "it is cut short"
AGAIN = "Remove the file and fetch it again from its official address. If it is the official one, please report this."
TOO_LARGE = "If it is the official one, the file of its data set in pipeline/data/datasets/ must allow for more; else remove it."


@dataclass(frozen=True)
class Member:
    """A file, a folder or something else."""

    name: str
    kind: str
    """``file``, ``directory``, or what else it is, in words."""
    size: int
    """Bytes of its content, as declared."""
    place: int | zipfile.ZipInfo
    """Where its content is in a tar; how zipfile knows it."""


def error(path: Path, member: str | None, what: str, cure: str = AGAIN) -> UserError:
    """The archive, the member, what is wrong, what to do."""
    return UserError(f"{path}: {f'member {member!r}: ' if member is not None else ''}{what}. {cure}")


@contextmanager
def damage(path: Path, member: str | None = None) -> Iterator[None]:
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
    ) as caught:
        if (
            isinstance(caught, OSError)
            and not isinstance(caught, gzip.BadGzipFile)
            and caught.errno != errno.EINVAL
        ):
            raise  # of the disk; the archive's own are a bad checksum, and a place before its beginning
        raise error(path, member, f"it is cut short or damaged ({caught})") from caught
