"""The layout of a study on disk: the only module that knows paths and file formats.

    params.yaml                 the study
    data/raw/D/                 the files that fetch downloaded
    data/ready/D/               images.npy, factors.npy, labels.npy, attributes.npy, picture.npy, split.npy,
                                meta.json
    runs/D/<trial key>/         config.json, trial.log, checkpoint.pt (while training), then
                                model.safetensors, history.parquet, result.json; or failure.json
    scores/D/<trial key>/       scores.json, reconstructions.png, traversals.png
    scores/D/scores.parquet     one row per (trial, metric)
    reports/                    index.html and tables

D is a data set's name. A reader sees every file whole or not at all (``pipeline.store.files``). ``meta.json``
and ``result.json`` are written last, so a folder that has them is complete.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.store import npy
from pipeline.store.files import atomic, read_json, write_json
from pipeline.store.ready import Ready

__all__ = ["ARRAYS", "PARAMS_FILE", "Store"]

PARAMS_FILE = "params.yaml"
ARRAYS = ("images", "factors", "labels", "attributes", "picture", "split")


def content_checksum(folder: Path) -> str:
    """SHA-256 over names, types, shapes and bytes of a prepared data set's arrays."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        path = folder / f"{name}.npy"
        if path.exists():
            with path.open("rb") as file:
                shape, dtype = npy.header(file)
            digest.update(f"{name} {dtype.str} {shape}\n".encode())
            for piece in npy.pieces(path):
                digest.update(piece)
    return digest.hexdigest()


@dataclass(frozen=True)
class Store:
    """The files of a study, below ``root``. It holds no state: many processes may use one store at a time."""

    root: Path

    def raw(self, dataset: str) -> Path:
        return self.root / "data" / "raw" / dataset

    def ready(self, dataset: str) -> Path:
        return self.root / "data" / "ready" / dataset

    def run(self, dataset: str, key: str) -> Path:
        return self.root / "runs" / dataset / key

    def scores(self, dataset: str) -> Path:
        return self.root / "scores" / dataset

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    # --- ready data -----------------------------------------------------------------------------------------

    def write_ready(
        self,
        dataset: str,
        *,
        images: np.ndarray | Iterable[np.ndarray],
        shape: tuple[int, ...] | None = None,
        places: np.ndarray | None = None,
        factors: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        attributes: np.ndarray | None = None,
        picture: np.ndarray | None = None,
        split: np.ndarray | None = None,
        meta: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Write a prepared data set, ``meta.json`` last; return the meta data with its checksum.

        Args:
            images: an array, or consecutive blocks of rows of one.
            shape: the shape of the whole array, if ``images`` are blocks.
            places: the row that each image is stored in (``npy.save``).
            meta: must hold ``shape`` ([C, H, W]) and ``storage``: "uint8" for images [N, C, H, W], "bits" for
                bit-packed rows [N, ceil(C*H*W/8)].
        """
        folder = self.ready(dataset)
        (folder / "meta.json").unlink(missing_ok=True)
        blocks, size = ([images], images.shape) if isinstance(images, np.ndarray) else (images, shape)
        assert size is not None
        with atomic(folder / "images.npy") as temporary:
            npy.save(temporary, blocks, size, places)
        arrays = {
            "factors": factors,
            "labels": labels,
            "attributes": attributes,
            "picture": picture,
            "split": split,
        }
        for name, array in arrays.items():
            if array is not None:
                with atomic(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
                    np.save(file, array)
            else:
                (folder / f"{name}.npy").unlink(missing_ok=True)
        written = {**meta, "name": dataset, "n": size[0], "checksum": content_checksum(folder)}
        write_json(folder / "meta.json", written)
        return written

    def read_ready(self, dataset: str, *, verify: bool = False) -> Ready:
        """Open a prepared data set; ``verify`` also compares its bytes with its checksum.

        Raises:
            UserError: it is missing or damaged, or differs from its meta data.
        """
        folder = self.ready(dataset)
        cure = f"Prepare it again: dvc repro --force preprocess@{dataset}"
        meta = read_json(folder / "meta.json")
        if meta is None:
            raise UserError(f"{folder / 'meta.json'} is missing or damaged. {cure}")
        arrays: dict[str, np.ndarray] = {}
        for name in ARRAYS:
            path = folder / f"{name}.npy"
            if not path.exists():
                continue
            try:
                arrays[name] = np.load(path, mmap_mode="c" if name == "images" else None)
            except (ValueError, OSError, EOFError) as error:
                raise UserError(f"{path} is truncated or not a .npy file ({error}). {cure}") from error
        if "images" not in arrays:
            raise UserError(f"{folder / 'images.npy'} is missing. {cure}")
        for name, array in arrays.items():
            if len(array) != meta["n"] and name != "picture":
                raise UserError(
                    f"{folder / name}.npy has {len(array)} rows, meta.json says {meta['n']}. {cure}"
                )
        if verify and (found := content_checksum(folder)) != meta["checksum"]:
            raise UserError(
                f"{folder}: the arrays are not those that were prepared (checksum {found[:12]}..., "
                f"meta.json says {meta['checksum'][:12]}...). {cure}"
            )
        others = {name: arrays.get(name) for name in ARRAYS if name != "images"}
        return Ready(dataset, meta, arrays["images"], **others)

    # --- trials ---------------------------------------------------------------------------------------------

    def result(self, dataset: str, key: str) -> dict[str, Any] | None:
        """A trial's result; None if its folder is not complete, so that the trial is still to be trained."""
        folder = self.run(dataset, key)
        result = read_json(folder / "result.json")
        if not isinstance(result, dict):
            return None
        for name, size in result.get("files", {}).items():
            path = folder / name
            if not path.exists() or path.stat().st_size != size:
                return None
        return result

    def is_finished(self, dataset: str, key: str) -> bool:
        """Whether a trial was trained to its end without diverging: only then it has a model to score."""
        return (self.result(dataset, key) or {}).get("status") == "finished"

    def write_result(self, dataset: str, key: str, result: Mapping[str, Any], files: tuple[str, ...]) -> None:
        """Complete a run folder: write ``result.json`` with the sizes of ``files``, remove the checkpoint."""
        folder = self.run(dataset, key)
        sizes = {name: (folder / name).stat().st_size for name in files}
        write_json(folder / "result.json", {**result, "files": sizes})
        for name in ("checkpoint.pt", "failure.json"):
            (folder / name).unlink(missing_ok=True)

    def failure(self, dataset: str, key: str) -> dict[str, Any] | None:
        """``failure.json`` of the last attempt at a trial; None if it did not fail."""
        return read_json(self.run(dataset, key) / "failure.json")

    def history(self, dataset: str, key: str) -> pd.DataFrame:
        """A trial's learning curves: a row per recorded step, a column per term."""
        return pd.read_parquet(self.run(dataset, key) / "history.parquet")

    # --- scores ---------------------------------------------------------------------------------------------

    def scores_table(self, dataset: str) -> pd.DataFrame | None:
        """A data set's scores, a row per (trial, split, metric); None if no trial has been scored.

        Raises:
            UserError: the file is damaged.
        """
        path = self.scores(dataset) / "scores.parquet"
        if not path.exists():
            return None
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:  # pyarrow's own errors are both
            raise UserError(
                f"{path} is damaged ({error}). Write it again: dvc repro --force evaluate"
            ) from None

    def write_scores_table(self, dataset: str, table: pd.DataFrame) -> None:
        """Replace a data set's table of scores."""
        with atomic(self.scores(dataset) / "scores.parquet") as temporary:
            table.to_parquet(temporary, index=False)

    def trial_scores(self, dataset: str, key: str) -> dict[str, Any]:
        """The scores of one trial and the digest of its pictures.

        {"metrics": {name: {digest, values, split, seconds}}, "pictures": digest or None}
        """
        found = read_json(self.scores(dataset) / key / "scores.json")
        found = found if isinstance(found, dict) else {}
        return {"metrics": found.get("metrics", {}), "pictures": found.get("pictures")}

    def write_trial_scores(
        self, dataset: str, key: str, scores: Mapping[str, Any], pictures: Mapping[str, bytes]
    ) -> None:
        """Write pictures (file name -> PNG) and then ``scores.json``, which names their digest."""
        folder = self.scores(dataset) / key
        for name, content in pictures.items():
            with atomic(folder / name) as temporary:
                temporary.write_bytes(content)
        write_json(folder / "scores.json", scores)

    def pictures(self, dataset: str, key: str) -> list[Path]:
        """The pictures of a trial, sorted by name."""
        return sorted((self.scores(dataset) / key).glob("*.png"))
