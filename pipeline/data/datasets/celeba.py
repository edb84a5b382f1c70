"""CelebA: 202,599 colour photographs of celebrities' faces, the eyes at the same place in all, with 40 binary attributes.

    img_align_celeba.zip       img_align_celeba/000001.jpg .. 202599.jpg, JPEG, 178 wide, 218 high
    list_attr_celeba.txt       the number of images; the 40 names; then "000001.jpg -1  1 ...": 1 has it, -1 has it not
    list_eval_partition.txt    "000001.jpg 0": 0 training (162,770), 1 validation (19,867), 2 test (19,962)

    factors    one for each attribute, in the file's order: 0 has it not, 1 has it
    images     RGB, 0 to 255: the central ``crop``×``crop`` pixels, their areas averaged to ``image_size``

Attributes are annotations of what was photographed, not what images are made from: they depend on each other, and their
combinations are far from a grid. ``split: official`` takes the official test and validation parts.

There is no one crop that all use: 148 is PyTorch-VAE's, 140 that of the Wasserstein auto-encoder and its successors; 178
is the largest square. Some scale the whole image to a square, so that faces become wider (disentangling-vae); that is
not done here. Decoders of JPEG may differ by a grey value: the checksum of the arrays may be another where Pillow is.

The three files are brought by hand: the terms allow no passing on, so there is no mirror that could be asked, and
Google Drive, where they lie, turns scripts away. Nothing here goes to the network. Preparing takes some minutes.

Ziwei Liu, Ping Luo, Xiaogang Wang, Xiaoou Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015, pp. 3730-3738,
https://doi.org/10.1109/ICCV.2015.425.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError
from pydantic import Field, field_validator, model_validator
from rich.filesize import decimal

from pipeline.data.arrays.dataset import About, CommonOptions, Prepared, fetched, no_other_test_part
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.archives import Archive, open_archive
from pipeline.data.files.download import DOWNLOADS, RemoteFile, download, holds, local_path
from pipeline.errors import UserError

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

COUNT = 202_599
WIDTH, HEIGHT = 178, 218
VALIDATION, TEST = 1, 2
"""In ``list_eval_partition.txt``."""
BLOCK = 256
"""Images that are decoded at a time."""
MOST_BYTES = 4 << 30
"""In the archive, which has 1.4 GB."""

ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses", "Goatee",
    "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes", "No_Beard",
    "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling", "Straight_Hair",
    "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace", "Wearing_Necktie", "Young",
)  # fmt: skip

HOME = "http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
# No addresses: see above. The authors publish no checksums; these are what TensorFlow Datasets and torchvision pin.
FILES = (
    RemoteFile("img_align_celeba.zip", (), "sha256:46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74", 1_443_490_838),
    RemoteFile("list_attr_celeba.txt", (), "sha256:f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0", 26_721_026),
    RemoteFile("list_eval_partition.txt", (), "sha256:fc955bcb3ef8fbdf7d5640d9a8693a8431b5f2ee291a5c1449a1549e7e073fe7", 2_836_386),
)  # fmt: skip
"""Images, attributes, parts."""

ABOUT = About(
    title="CelebA",
    what="202,599 colour photographs of celebrities' faces, aligned, 178×218, with 40 binary attributes.",
    source=HOME,
    licence="Please note that we do not own the copyrights to these images. Their use is RESTRICTED to non-commercial research "
    "and educational purposes.",
    citation='Z. Liu, P. Luo, X. Wang, X. Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015, pp. 3730-3738, '
    "https://doi.org/10.1109/ICCV.2015.425",
    factors=dict.fromkeys(ATTRIBUTES, 2),
    files=FILES,
)


class Options(CommonOptions):
    """``datasets.celeba`` in params.yaml."""

    original_size: ClassVar[int] = WIDTH

    folder: str | None = None
    """A folder that has the three files under their official names, or the zip in it; null looks into the folder that
    BETABENCH_DOWNLOADS in the environment names. They may as well lie in data/raw/celeba already."""
    split: Literal["official", "drawn"] = "official"
    """The ``official`` test and validation images are these parts; or ``drawn``: ``test_fraction`` and
    ``validation_fraction`` of all images are."""
    crop: Annotated[int, Field(ge=CommonOptions.smallest_size, le=WIDTH, multiple_of=2)] = 148
    """Pixels along a side of the square in the middle of an image that is kept; even, so that it is in the middle."""
    image_size: int | None = 64
    """Scale the crop down to this many pixels along a side, by averaging areas; null keeps it as it is."""

    @field_validator("folder")
    @classmethod
    def _is_local(cls, value: str | None) -> str | None:
        if value is not None and local_path(value) is None:
            raise ValueError("a folder on this machine is wanted, not an address")
        return value

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Options:
        no_other_test_part(self, "the 19,962 official test images")
        if self.split == "official" and self.validation_fraction:
            raise ValueError(
                "split: official has the 19,867 official validation images, so validation_fraction must be 0: leave it out, or "
                "set split to drawn"
            )
        if self.image_size is not None and self.image_size > self.crop:
            raise ValueError(
                f"image_size ({self.image_size}) is larger than crop ({self.crop}), and images are scaled down only: set "
                "image_size to crop at the most, or to null"
            )
        return self


def fetch(options: Options, folder: Path) -> None:
    """Copy the three files, verified, from where the user has them. Nothing is downloaded.

    Raises:
        UserError: a file is in none of the places, or is another one. All three are looked for before one is copied.
    """
    places = _places(options)
    sources: dict[RemoteFile, Path] = {}
    lacking = []
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
            lacking.append(f"{file.name}{size}: {others or 'not there'}")
    if lacking:
        listed = "".join(f"\n  {line}" for line in lacking)
        raise UserError(
            "CelebA has to be brought by hand: its terms allow no mirrors, and its host turns scripts away. These files are "
            f"lacking in {', '.join(str(place.absolute()) for place in (*places, folder))}:{listed}\n"
            f"Download them in a browser from {HOME} (there in the folders Img, Anno and Eval), put them as they are, not "
            "unpacked, into one folder, and name it as datasets.celeba.folder in params.yaml (or in the environment variable "
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
    """The folder that has the files, according to params.yaml or else to the environment; none where it is not told."""
    given, key = options.folder, "datasets.celeba.folder in params.yaml"
    if not given:
        given, key = os.environ.get(DOWNLOADS), f"the environment variable {DOWNLOADS}"
    if not given:
        return []
    place = local_path(given)
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
        raise _other(path, 1, f"the number of images, {COUNT}, is expected, found {' '.join(found)[:80]!r}")
    if (found := next(rows, (2, []))[1]) != list(ATTRIBUTES):
        raise _other(path, 2, f"the names of the 40 attributes are expected, found {' '.join(found)[:80]!r}")
    names: list[str] = []
    factors = np.zeros((COUNT, len(ATTRIBUTES)), dtype=np.int16)
    for line, (name, *values) in rows:
        if len(names) == COUNT:
            raise _other(path, line, f"more than {COUNT} images are listed")
        if len(values) != len(ATTRIBUTES) or not set(values) <= {"1", "-1"}:
            raise _other(path, line, "a name and 40 times 1 or -1 are expected")
        factors[len(names)] = [value == "1" for value in values]
        names.append(name)
    if len(set(names)) != COUNT:
        raise _other(path, None, f"{len(set(names))} images are listed, expected {COUNT}")
    return names, factors


def _parts(path: Path, names: Sequence[str]) -> np.ndarray:
    """uint8 [N]: which part each of these images is in."""
    part_of = {}
    for line, fields in _rows(path):
        if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
            raise _other(path, line, f"a name and 0, 1 or 2 are expected, found {' '.join(fields)[:80]!r}")
        part_of[fields[0]] = int(fields[1])
    lacking = [name for name in names if name not in part_of]
    if lacking or len(part_of) != len(names):
        example = f"; {lacking[0]} is not" if lacking else ""
        raise _other(path, None, f"{len(part_of)} images are listed, expected {len(names)}{example}")
    return np.array([part_of[name] for name in names], dtype=np.uint8)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and words of each line that has any."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line, text in enumerate(file, 1):
            if words := text.split():
                yield line, words


def _images(path: Path, names: Sequence[str], crop: int, size: int) -> Iterator[np.ndarray]:
    """uint8 [n, 3, size, size] at a time."""
    with open_archive(path, most_files=2 * COUNT + 10, most_bytes=MOST_BYTES) as archive:
        for start in range(0, len(names), BLOCK):
            faces = [_face(path, archive, name, crop) for name in names[start : start + BLOCK]]
            yield shrink(np.stack(faces), size)


def _face(path: Path, archive: Archive, name: str, crop: int) -> np.ndarray:
    """uint8 [3, crop, crop]: the middle of an image."""
    member = f"img_align_celeba/{name}"
    content = archive.read(member)
    left, top = (WIDTH - crop) // 2, (HEIGHT - crop) // 2
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            if image.size != (WIDTH, HEIGHT):
                raise ValueError(
                    f"it has {image.width}×{image.height} pixels, expected {WIDTH}×{HEIGHT}; is the archive the aligned images?"
                )
            middle = image.crop((left, top, left + crop, top + crop)).convert("RGB")
    except UnidentifiedImageError:
        raise _other(path, None, f"member {member!r} is no JPEG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _other(path, None, f"member {member!r}: {error}") from error
    return np.asarray(middle).transpose(2, 0, 1)


def _other(path: Path, line: int | None, what: str) -> UserError:
    return UserError(
        f"{path}{f', line {line}' if line is not None else ''}: {what}. "
        "Remove it and bring the official file again; if it is the official one, please report this."
    )
