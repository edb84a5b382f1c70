"""Reading one image file as pixels, or an error that names the file and the cure.

Pixels have 8 bits per channel, are upright and opaque. The content decides the format, not the ending: PNG,
JPEG, BMP, TIFF, WebP or GIF, of one frame. If a JPEG holds several pictures (MPO: a camera's, with previews),
the first is read. EXIF's orientation is applied, colour profiles are not.

An image is grey if R = G = B in every pixel, however its file stores it.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pipeline.errors import UserError

__all__ = ["ENDINGS", "MOST_PIXELS", "UNREAD", "content", "decode"]

ENDINGS = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif")
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF")
UNREAD = (
    *(".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".psd"),
    *(".svg", ".ico", ".exr", ".hdr", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".dcm", ".eps"),
)
"""Endings of images in formats that are not supported."""
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
"""Pillow's modes of 8 bits per channel."""
MOST_PIXELS = 50_000_000
"""Of one image: reading one needs some 15 bytes per pixel."""
BITS_PER_SAMPLE = 258
"""The TIFF tag."""
TRANSPARENT = (
    "it is transparent in places. Flatten it onto a background, or save it without an alpha channel."
)


def content(path: Path) -> bytes:
    """The bytes of a file. Raises UserError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}). Make it readable, or remove it."
        ) from None


def decode(path: Path, stored: bytes) -> np.ndarray:
    """uint8 [1, H, W] of a grey image, [3, H, W] red, green and blue of one in colour.

    Args:
        path: its name, for messages.

    Raises:
        UserError: it is no image, a damaged one, or one that cannot be read without loss or guesses.
    """
    image, refused = _opened(path, stored)
    if image is None:
        raise UserError(f"{path}: {refused}")
    pixels = np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
    if pixels.ndim == 2:
        return pixels[None]
    red, green, blue = np.moveaxis(pixels, -1, 0)
    grey = np.array_equal(red, green) and np.array_equal(red, blue)
    return red[None] if grey else np.stack([red, green, blue])


def _opened(path: Path, stored: bytes) -> tuple[Image.Image | None, str]:
    """The image, upright; or None, and why it is refused and what to do."""
    too_large = f"it has more than {MOST_PIXELS:,} pixels. Make it smaller."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(stored), formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    return None, too_large
                if refused := _refused(image, stored):
                    return None, refused
                image.load()
                upright = ImageOps.exif_transpose(image)
                if _transparent(upright):
                    return None, TRANSPARENT
                return upright, ""
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return None, too_large
    except Exception as error:  # Pillow's readers raise anything on damaged files
        what = "nothing in it can be read" if isinstance(error, Image.UnidentifiedImageError) else str(error)
        raise UserError(
            f"{path} is no image, or a damaged or truncated one ({what or type(error).__name__}). "
            "Replace it or remove it."
        ) from error


def _refused(image: Image.Image, stored: bytes) -> str | None:
    """Why an opened image is refused, and what to do; None if it is accepted."""
    bits = 8
    if image.format == "PNG":
        bits = stored[24]  # Pillow silently reduces 16 bits of colour to 8
    elif image.format == "TIFF":
        bits = max(image.tag_v2.get(BITS_PER_SAMPLE, (1,)))  # type: ignore[attr-defined]
    if image.mode.startswith(("I", "F")) or bits > 8:
        return (
            f"more than 8 bits per channel (Pillow's mode {image.mode}, {bits} bits). "
            "Convert it to 8 bits, 0 black to 255 white, scaled as you need it."
        )
    if image.mode not in MODES:
        return f"its colours are {image.mode}. Convert it to grey or RGB."
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # MPO: cameras' JPEG with previews after the picture
        return f"it has {frames} frames. Save each as an image of its own, or remove it."
    return None


def _transparent(image: Image.Image) -> bool:
    if "transparency" not in image.info and image.mode not in ("LA", "PA", "RGBA"):
        return False
    if image.mode == "1":  # Pillow does not turn its transparent value into an alpha channel
        return True
    return image.convert("RGBA").getchannel("A").getextrema()[0] != 255
