"""CelebA: 202,599 aligned colour photographs of celebrities' faces, with 40 binary attributes.

    img_align_celeba.zip       img_align_celeba/000001.jpg .. 202599.jpg, JPEG, 178 wide, 218 high
    list_attr_celeba.txt       number of images; the 40 names; then "000001.jpg -1  1 ...", 1 present, -1 not
    list_eval_partition.txt    "000001.jpg 0": 0 training (162,770), 1 validation (19,867), 2 test (19,962)

    factors    one for each attribute, in the file's order: 0 absent, 1 present
    images     RGB, 0 to 255: the central ``crop``×``crop`` pixels, scaled to ``image_size`` (areas averaged)

The attributes describe the photographs; they did not generate them. They depend on each other, and their
combinations are far from a grid. ``split: official`` uses the official test and validation parts.

No single crop is standard: 148 is PyTorch-VAE's, 140 that of the Wasserstein auto-encoder and its successors;
178 is the largest square. Some projects scale the whole image to a square, which makes faces wider
(disentangling-vae); that is not done here. JPEG decoders may differ by a grey value, so another version of
Pillow may change the checksum of the arrays.

The user has to download the three files by hand: the terms forbid passing them on, so there is no mirror, and
Google Drive, where they are, refuses scripts. This data set never uses the network. Preparing takes some
minutes.

Ziwei Liu, Ping Luo, Xiaogang Wang, Xiaoou Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015, pp.
3730-3738, https://doi.org/10.1109/ICCV.2015.425.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError
from pydantic import Field, field_validator, model_validator
from rich.filesize import decimal

from pipeline.data.arrays.dataset import About, CommonOptions, Prepared, fetched, no_other_test_part
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.damage import damage
from pipeline.data.files.download import DOWNLOADS, RemoteFile, download, holds, local_path
from pipeline.errors import UserError

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

COUNT = 202_599
WIDTH, HEIGHT = 178, 218
VALIDATION, TEST = 1, 2
"""In ``list_eval_partition.txt``."""
BLOCK = 256
"""Images that are decoded at a time."""
CURE = "Remove it and bring the official file again; if it is the official one, please report this."

ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips",
    "Big_Nose", "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby",
    "Double_Chin", "Eyeglasses", "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male",
    "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose",
    "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair",
    "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace", "Wearing_Necktie", "Young",
)  # fmt: skip

HOME = "http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
# No addresses: see above. The authors publish no checksums; TensorFlow Datasets and torchvision pin these.
FILES = (
    RemoteFile(
        "img_align_celeba.zip",
        (),
        "sha256:46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74",
        1_443_490_838,
    ),
    RemoteFile(
        "list_attr_celeba.txt",
        (),
        "sha256:f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0",
        26_721_026,
    ),
    RemoteFile(
        "list_eval_partition.txt",
        (),
        "sha256:fc955bcb3ef8fbdf7d5640d9a8693a8431b5f2ee291a5c1449a1549e7e073fe7",
        2_836_386,
    ),
)
"""Images, attributes, parts."""

ABOUT = About(
    title="CelebA",
    what="202,599 colour photographs of celebrities' faces, aligned, 178×218, with 40 binary attributes.",
    source=HOME,
    licence="Please note that we do not own the copyrights to these images. Their use is RESTRICTED to "
    "non-commercial research and educational purposes.",
    citation='Z. Liu, P. Luo, X. Wang, X. Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015, pp. '
    "3730-3738, "
    "https://doi.org/10.1109/ICCV.2015.425",
    factors=dict.fromkeys(ATTRIBUTES, 2),
    files=FILES,
)


class Options(CommonOptions):
    """``datasets.celeba`` in params.yaml."""

    original_size: ClassVar[int] = WIDTH

    folder: str | None = None
    """A folder that has the three files under their official names, or the path of its zip; null means the
    folder that the environment variable BETABENCH_DOWNLOADS names. The files may also be in data/raw/celeba
    already."""
    split: Literal["official", "drawn"] = "official"
    """``official``: the official test and validation parts; ``drawn``: ``test_fraction`` and
    ``validation_fraction`` of all images."""
    crop: Annotated[int, Field(ge=CommonOptions.smallest_size, le=WIDTH, multiple_of=2)] = 148
    """Pixels along a side of the central square that is kept; even, so that it is exactly central."""
    image_size: int | None = 64
    """Scale the crop down to this many pixels along a side, by averaging areas; null keeps its size."""

    @field_validator("folder")
    @classmethod
    def _is_local(cls, value: str | None) -> str | None:
        if value is not None and local_path(value) is None:
            raise ValueError("must be a folder on this machine, not an address")
        return value

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Options:
        no_other_test_part(self, "the 19,962 official test images")
        if self.split == "official" and self.validation_fraction:
            raise ValueError(
                "split: official has the 19,867 official validation images, so validation_fraction must be "
                "0: leave it out, or set split to drawn"
            )
        if self.image_size is not None and self.image_size > self.crop:
            raise ValueError(
                f"image_size ({self.image_size}) is larger than crop ({self.crop}), and images are scaled "
                "down only: set image_size to at most crop, or to null"
            )
        return self


def fetch(options: Options, folder: Path) -> None:
    """Copy the three files, verified, from the user's folder. Nothing is downloaded.

    Raises:
        UserError: a file is in none of the places, or is not the official one. All three are searched before
            one is copied.
    """
    places = _places(options)
    sources: dict[RemoteFile, Path] = {}
    missing = []
    for file in FILES:
        if holds(folder / file.name, file.checksum):
            continue
        there = [path for path in (place / file.name for place in (*places, folder)) if path.is_file()]
        right = next((path for path in there if holds(path, file.checksum)), None)
        if right is not None:
            sources[file] = right
        else:
            size = f" ({decimal(file.size)})" if file.size is not None else ""
            others = ", ".join(f"{path} is another file ({decimal(path.stat().st_size)})" for path in there)
            missing.append(f"{file.name}{size}: {others or 'not there'}")
    if missing:
        listed = "".join(f"\n  {line}" for line in missing)
        raise UserError(
            "CelebA has to be downloaded by hand: its terms allow no mirrors, and its host refuses scripts. "
            "These files are missing in "
            f"{', '.join(str(place.absolute()) for place in (*places, folder))}:{listed}\nDownload them in a "
            f"browser from {HOME} (from its folders Img, Anno and Eval), put them, not unpacked, into one "
            "folder, and name it as datasets.celeba.folder in params.yaml (or in the environment variable "
            f"{DOWNLOADS}); or put them into {folder.absolute()}. Then run dvc repro again."
        )
    for file, source in sources.items():
        download(str(source.absolute()), folder / file.name, file.checksum, file.size)


def prepare(options: Options, folder: Path) -> Prepared:
    """Images [202599, 3, size, size] and attributes.

    Raises:
        UserError: a raw file is missing, damaged, or not in the published layout.
    """
    archive, attributes, partition = (fetched(folder, file.name, file.checksum) for file in FILES)
    names, factors = _attributes(attributes)
    parts, official = _parts(partition, names), options.split == "official"
    size = options.image_size or options.crop
    return Prepared(
        blocks=_images(archive, names, options.crop, size),
        count=COUNT,
        storage="uint8",
        shape=(3, size, size),
        factors=factors,
        factor_names=ATTRIBUTES,
        factor_sizes=(2,) * len(ATTRIBUTES),
        official_test=parts == TEST if official else None,
        official_validation=parts == VALIDATION if official else None,
        details={"split": options.split, "crop": options.crop},
    )


def _places(options: Options) -> list[Path]:
    """The folder that params.yaml, or else the environment, names; empty if neither does."""
    named, key = options.folder, "datasets.celeba.folder in params.yaml"
    if not named:
        named, key = os.environ.get(DOWNLOADS), f"the environment variable {DOWNLOADS}"
    if not named:
        return []
    place = local_path(named)
    if place is None:  # a mirror of other data sets
        return []
    place = place.expanduser()
    if place.name == FILES[0].name and place.is_file():
        return [place.parent]
    if not place.is_dir():
        raise UserError(
            f"{place.absolute()}, which {key} names, is not a folder. Correct it, or leave it out."
        )
    return [place]


def _attributes(path: Path) -> tuple[list[str], np.ndarray]:
    """Names of the images, in the file's order, and int16 [N, 40], 1 where an image has the attribute."""
    rows = _rows(path)
    if (found := next(rows, (1, []))[1]) != [str(COUNT)]:
        raise _other(path, 1, f"expected the number of images, {COUNT}, found {' '.join(found)[:80]!r}")
    if (found := next(rows, (2, []))[1]) != list(ATTRIBUTES):
        raise _other(path, 2, f"expected the names of the 40 attributes, found {' '.join(found)[:80]!r}")
    names: list[str] = []
    factors = np.zeros((COUNT, len(ATTRIBUTES)), dtype=np.int16)
    for line, (name, *values) in rows:
        if len(names) == COUNT:
            raise _other(path, line, f"more than {COUNT} images are listed")
        if len(values) != len(ATTRIBUTES) or not set(values) <= {"1", "-1"}:
            raise _other(path, line, "expected a name and 40 times 1 or -1")
        factors[len(names)] = [value == "1" for value in values]
        names.append(name)
    if len(set(names)) != COUNT:
        raise _other(path, None, f"{len(set(names))} images are listed, expected {COUNT}")
    return names, factors


def _parts(path: Path, names: Sequence[str]) -> np.ndarray:
    """uint8 [N]: the part of each of these images."""
    part_of = {}
    for line, fields in _rows(path):
        if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
            raise _other(path, line, f"expected a name and 0, 1 or 2, found {' '.join(fields)[:80]!r}")
        part_of[fields[0]] = int(fields[1])
    missing = [name for name in names if name not in part_of]
    if missing or len(part_of) != len(names):
        example = f"; {missing[0]} is not" if missing else ""
        raise _other(path, None, f"{len(part_of)} images are listed, expected {len(names)}{example}")
    return np.array([part_of[name] for name in names], dtype=np.uint8)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and words of each line that is not empty."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line, text in enumerate(file, 1):
            if words := text.split():
                yield line, words


def _images(path: Path, names: Sequence[str], crop: int, size: int) -> Iterator[np.ndarray]:
    """uint8 [n, 3, size, size] at a time."""
    with (
        damage(f"{path} is not CelebA's archive of aligned images, or damaged", CURE),
        zipfile.ZipFile(path) as archive,
    ):
        for start in range(0, len(names), BLOCK):
            faces = [_face(path, archive, name, crop) for name in names[start : start + BLOCK]]
            yield shrink(np.stack(faces), size)


def _face(path: Path, archive: zipfile.ZipFile, name: str, crop: int) -> np.ndarray:
    """uint8 [3, crop, crop]: the central square of an image."""
    member = f"img_align_celeba/{name}"
    content = archive.read(member)
    left, top = (WIDTH - crop) // 2, (HEIGHT - crop) // 2
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            if image.size != (WIDTH, HEIGHT):
                raise ValueError(
                    f"it has {image.width}×{image.height} pixels, expected {WIDTH}×{HEIGHT}; is this the "
                    "archive of the aligned images?"
                )
            square = image.crop((left, top, left + crop, top + crop)).convert("RGB")
    except UnidentifiedImageError:
        raise _other(path, None, f"member {member!r} is no JPEG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _other(path, None, f"member {member!r}: {error}") from error
    return np.asarray(square).transpose(2, 0, 1)


def _other(path: Path, line: int | None, what: str) -> UserError:
    return UserError(f"{path}{f', line {line}' if line is not None else ''}: {what}. {CURE}")
