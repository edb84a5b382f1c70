"""Galaxies as parametric profiles of light, read from a catalogue and drawn as a telescope sees them.

    Sérsic     I(r) ∝ exp(-b_n (r / r_e)^(1/n)),   half of the light within r_e;   n = 1 a disk, n = 4 a bulge
    galaxy     one Sérsic profile, or a bulge (n = 4) and a disk (n = 1)
    ellipse    r² = q x'² + y'² / q,   q = minor / major axis,   x' along the major axis, at the angle β to x
    stamp      f = P * G * A I,   A turns, mirrors and shifts,   G a Gaussian PSF,   P the square of a pixel

``*`` is convolution. A pixel is the light on its square, so fewer and larger pixels are exact sums of small
ones. The choice between the two fits of a galaxy, the rounding of n to 0.05 and its limits 0.3 and 6 are
GalSim's: a profile here is equal to that of ``galsim.COSMOSCatalog.makeGalaxy`` with
``gal_type="parametric"``, and the cuts are those of its ``exclusion_level="marginal"``. The two tables are
read here, because GalSim derives their names by replacing text in the whole path, folders included.

A catalogue is two FITS tables with the same galaxies row by row, ``<name>_fits.fits`` and
``<name>_selection.fits``:

    sersicfit     [intensity at r_e, r_e along the major axis in pixels of 0.03", n, q, 0, x, y, β in radians]
    bulgefit      the same eight of the disk (n = 1), then of the bulge (n = 4)
    hlr           r_e in arcseconds, of the circle of the same area: Sérsic, bulge, disk
    flux          counts per second, zero point 25.94 mag: Sérsic, bulge, disk
    fit_status    of the bulge-and-disk fit first, of the Sérsic fit last; 1 to 4 are good

J. L. Sérsic, "Influence of the atmospheric and instrumental dispersion on the brightness distribution in a
galaxy", BAAA 6, 41, 1963. R. Mandelbaum et al., MNRAS 420, 1518, 2012. B. Rowe et al., "GalSim: The modular
galaxy image simulation toolkit", Astronomy and Computing 10, 121, 2015, arXiv:1407.7676.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pipeline.errors import UserError

__all__ = [
    "Catalogue",
    "Limits",
    "Pose",
    "drawable",
    "flux",
    "galsim",
    "good",
    "half_light",
    "profile",
    "read",
    "stamp",
]

N_STEP, N_LEAST, N_MOST = 0.05, 0.3, 6.0
MOST_LIGHT_OUTSIDE = 0.05
"""Fraction of a galaxy's light that may lie outside the period of the Fourier transform and is folded into
it. GalSim's own 0.005 needs six times the time; in the example's stamps, 0.05" per pixel, no pixel differs by
more than 0.0002 of the peak."""

FITS = {"IDENT": 0, "mag_auto": 0, "flux_radius": 0, "zphot": 0, "sersicfit": 8, "bulgefit": 16,
        "fit_status": 5, "use_bulgefit": 0, "viable_sersic": 0, "hlr": 3, "flux": 3}  # fmt: skip
SELECTION = {"IDENT": 0, "dmag": 0, "sn_ellip_gauss": 0, "min_mask_dist_pixels": 0,
             "average_mask_adjacent_pixel_count": 0, "peak_image_pixel_count": 0}  # fmt: skip
"""Column -> the least length of a row's vector; 0 for a single number."""

Catalogue = Mapping[str, np.ndarray]
"""Column -> float64 [G] or [G, n], of both tables."""


@dataclass(frozen=True)
class Limits:
    """GalSim's requirements on the image behind a fit, which differ between samples."""

    least_signal_to_noise: float
    most_light_at_mask: float
    """The mean pixel beside a masked one, relative to the brightest pixel."""
    near_mask: float = 11.0
    """Pixels; ``most_light_at_mask`` applies to nearer masks only."""


@dataclass(frozen=True)
class Pose:
    """The pose of a galaxy in its stamp: mirrored at the x axis, then turned, then shifted."""

    angle: float
    """Radians, from x (columns, to the right) towards y (rows, downwards)."""
    mirrored: bool
    shift: tuple[float, float]
    """(x, y) in arcseconds."""


def galsim() -> ModuleType:
    """The library GalSim.

    Raises:
        UserError: it is not installed.
    """
    try:
        import galsim as library
    except ImportError:
        raise UserError(
            "Galaxies are drawn by GalSim, which is not installed. It is an extra: "
            'pip install -c constraints.txt -e ".[galaxies]"'
        ) from None
    return library


def read(fits: Path, selection: Path) -> Catalogue:
    """The two tables of a catalogue.

    Raises:
        UserError: a file is no such table, or the tables do not belong together.
    """
    galsim()  # astropy comes with it
    found = _table(fits, FITS)
    quality = _table(selection, SELECTION)
    if not np.array_equal(found["IDENT"], quality["IDENT"]):
        raise UserError(
            f"{fits} and {selection} have different galaxies ({len(found['IDENT'])} and "
            f"{len(quality['IDENT'])} rows; IDENT should be the same in both). Use both files of one "
            "download."
        )
    return {**found, **quality}


def _table(path: Path, columns: Mapping[str, int]) -> dict[str, np.ndarray]:
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files cut short: reading them raises errors
            with fits.open(path, memmap=False) as tables:
                data = tables[1].data
                missing = [name for name in columns if name not in data.names]
                if missing:
                    raise ValueError(f"it has no column {missing[0]!r}; it has {', '.join(data.names)}")
                read = {name: np.array(data[name], dtype=np.float64) for name in columns}
        for name, least in columns.items():
            if read[name].ndim != (2 if least else 1) or (least and read[name].shape[1] < least):
                raise ValueError(f"column {name!r} is {list(read[name].shape)}, expected [rows, {least}]")
    except (OSError, TypeError, ValueError, KeyError, IndexError, AttributeError, fits.VerifyError) as error:
        raise UserError(
            f"{path} is not a table of a COSMOS catalogue in GalSim's layout: {error}. "
            "Remove it, or correct path in params.yaml, and run dvc repro."
        ) from error
    return read


def good(catalogue: Catalogue, limits: Limits) -> np.ndarray:
    """bool [G]: galaxies that are well separated from others and that both fits describe well."""
    peak = np.where(catalogue["peak_image_pixel_count"] == 0, 1e-5, catalogue["peak_image_pixel_count"])
    at_mask = catalogue["average_mask_adjacent_pixel_count"] / peak
    separate = (catalogue["min_mask_dist_pixels"] > limits.near_mask) | (at_mask < limits.most_light_at_mask)
    status = catalogue["fit_status"][:, [0, 4]]
    fitted = ((status > 0) & (status < 5)).all(axis=1)
    sky_is_right = (catalogue["sersicfit"][:, 2] < 5) | (catalogue["hlr"][:, 0] < 1)
    agrees = np.abs(catalogue["dmag"]) < 0.8
    clear = catalogue["sn_ellip_gauss"] >= limits.least_signal_to_noise
    return clear & separate & fitted & sky_is_right & agrees


def _components(catalogue: Catalogue) -> dict[str, np.ndarray]:
    """[G, 3] each, for (Sérsic, bulge, disk): whether it is drawn, flux, half-light radius, q, angle."""
    two = catalogue["use_bulgefit"] != 0
    fits = (catalogue["sersicfit"], catalogue["bulgefit"][:, 8:], catalogue["bulgefit"][:, :8])
    return {
        "drawn": np.stack([~two, two, two], axis=1),
        "flux": catalogue["flux"][:, :3],
        "radius": catalogue["hlr"][:, :3],
        "q": np.stack([fit[:, 3] for fit in fits], axis=1),
        "angle": np.stack([fit[:, 7] for fit in fits], axis=1),
    }


def drawable(catalogue: Catalogue) -> np.ndarray:
    """bool [G]: galaxies with valid numbers in the Sérsic fit and in the components that are drawn."""
    parts = _components(catalogue)
    lit = (parts["flux"] > 0) & (parts["radius"] > 0) & (parts["q"] > 0) & (parts["q"] <= 1)
    sound = lit & np.isfinite(parts["flux"] + parts["radius"] + parts["angle"])
    sersic = (catalogue["viable_sersic"] != 0) & (catalogue["sersicfit"][:, 2] > 0) & sound[:, 0]
    return sersic & (sound | ~parts["drawn"]).all(axis=1)


def half_light(catalogue: Catalogue) -> np.ndarray:
    """float64 [G], arcseconds: the half-light radius along the major axis, of the larger component."""
    parts = _components(catalogue)
    sound = parts["drawn"] & (parts["q"] > 0)
    return np.where(sound, parts["radius"] / np.sqrt(np.where(sound, parts["q"], 1)), 0).max(axis=1)


def flux(catalogue: Catalogue) -> np.ndarray:
    """float64 [G], counts per second: the sum over the components that are drawn."""
    parts = _components(catalogue)
    return np.where(parts["drawn"], parts["flux"], 0).sum(axis=1)


def profile(catalogue: Catalogue, row: int) -> Any:
    """A galaxy's light, a ``galsim.GSObject`` centred on (0, 0), in arcseconds and counts per second."""
    library = galsim()
    settings = library.GSParams(folding_threshold=MOST_LIGHT_OUTSIDE)
    counts, radius = catalogue["flux"][row].tolist(), catalogue["hlr"][row].tolist()
    if catalogue["use_bulgefit"][row]:
        parameters = catalogue["bulgefit"][row].tolist()
        bulge = library.DeVaucouleurs(flux=counts[1], half_light_radius=radius[1], gsparams=settings)
        disk = library.Exponential(flux=counts[2], half_light_radius=radius[2], gsparams=settings)
        return _ellipse(bulge, *parameters[11::4]) + _ellipse(disk, *parameters[3:8:4])
    _, _, n, q, _, _, _, beta = catalogue["sersicfit"][row].tolist()
    n = int(min(max(n, N_LEAST), N_MOST) / N_STEP + 0.5) * N_STEP
    return _ellipse(
        library.Sersic(n, flux=counts[0], half_light_radius=radius[0], gsparams=settings), q, beta
    )


def _ellipse(circle: Any, q: float, beta: float) -> Any:
    return circle.shear(q=q, beta=beta * galsim().radians) if q < 1 else circle


def stamp(light: Any, pose: Pose, *, size: int, pixel_scale: float, psf_fwhm: float) -> np.ndarray:
    """float32 [size, size], counts per second in each pixel, without noise.

    Args:
        light: from :func:`profile`.
        pixel_scale: arcseconds along a pixel's side.
        psf_fwhm: full width at half maximum of the Gaussian PSF, arcseconds.

    Raises:
        UserError: GalSim cannot draw it.
    """
    library = galsim()
    cos, sin, mirror = np.cos(pose.angle), np.sin(pose.angle), -1 if pose.mirrored else 1
    placed = light.transform(cos, -mirror * sin, sin, mirror * cos).shift(*pose.shift)
    psf = library.Gaussian(fwhm=psf_fwhm, gsparams=light.gsparams)
    try:
        image = library.Convolve(placed, psf, gsparams=light.gsparams).drawImage(
            nx=size, ny=size, scale=pixel_scale, dtype=np.float32
        )
    except library.GalSimError as error:
        raise UserError(
            f"GalSim cannot draw a galaxy with these settings: {error}. A larger psf_fwhm needs less memory."
        ) from error
    return image.array
