"""Errors that a user can cure: what is wrong, what was found, what to do; shown without a traceback.

Everything else is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["UserError", "user_errors"]


class UserError(ValueError):
    """Something the user can cure. The message names the file, the key, what was found and the cure."""


@contextmanager
def user_errors(stage: str) -> Iterator[None]:
    """Turn a :class:`UserError` into one screen on standard error and exit status 1."""
    try:
        yield
    except UserError as error:
        print(f"\n{stage}: {error}\n", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(
            f"\n{stage}: interrupted; what was finished is kept, `dvc repro` goes on from here\n",
            file=sys.stderr,
        )
        raise SystemExit(130) from None
