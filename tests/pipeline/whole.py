"""Shared by tests of data sets: all prepared images as one array, and a web server for a folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from pipeline.data.arrays.dataset import Prepared

__all__ = ["serving", "whole"]


def whole(prepared: Prepared) -> np.ndarray:
    """All images in the order of their rows: uint8 [N, C, H, W], or bit-packed rows."""
    images = np.concatenate(list(prepared.blocks))
    assert images.shape == prepared.stored_shape
    if prepared.places is None:
        return images
    assert sorted(prepared.places) == list(range(len(images)))
    placed = np.empty_like(images)
    placed[prepared.places] = images
    return placed


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a real HTTP server for the files of a folder, which proxies do not affect."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
