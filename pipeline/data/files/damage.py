"""One error for every kind of damaged file, in place of the many that libraries raise while they read one."""

from __future__ import annotations

import errno
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import UserError

__all__ = ["damage"]

RAISED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error),
    *(EOFError, KeyError, OSError, RuntimeError, ValueError),
)


@contextmanager
def damage(problem: str, cure: str) -> Iterator[None]:
    """Raise ``<problem>: <words of the library>. <cure>`` if a file cannot be read as what it should be.

    An OSError of the disk passes unchanged: it has an error number. Those about a file's content have none,
    or EINVAL for an offset before the beginning of the file.

    Args:
        problem: the file, and what is wrong with it.
        cure: what the user should do, a sentence.

    Raises:
        UserError: a library found the file damaged, or the code in the block raised ValueError.
    """
    try:
        yield
    except UserError:
        raise
    except RAISED as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        words = error.args[0] if isinstance(error, KeyError) else error
        raise UserError(f"{problem}: {words}. {cure}") from error
