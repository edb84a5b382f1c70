"""Errors that a user can correct: the message says what is wrong, what was found and what to do.

They are shown without a traceback. Every other exception is a bug of this package and keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["UserError", "user_errors"]


class UserError(ValueError):
    """An error that the user can correct. The message names the file, the key, the value and the cure."""


@contextmanager
def user_errors(stage: str) -> Iterator[None]:
    """Print a :class:`UserError` within the block to standard error, and exit with status 1."""
    try:
        yield
    except UserError as error:
        print(f"\n{stage}: {error}\n", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(
            f"\n{stage}: interrupted; finished work is kept, and `dvc repro` goes on from here\n",
            file=sys.stderr,
        )
        raise SystemExit(130) from None
