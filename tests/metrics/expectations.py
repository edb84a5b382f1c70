"""Expectations of single metrics that differ from those of all metrics, each with its reason.

`test_every_metric.py` walks the folder; a metric without exceptions has no entry here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Expected", "expected"]


@dataclass(frozen=True)
class Expected:
    """Of the main value of one metric."""

    perfect: float | None = None
    """On the perfect case; the default is the better end of the metric's RANGE, if one end is better."""
    noise: float | None = None
    """On codes that know nothing; the default is the worse end of its RANGE."""
    near: float = 0.05
    """How near to both: counting bias of finite samples, chance of 600 test rows, ..."""
    iterative: float = 1e-9
    """An iterative fit stops at another point when its columns are permuted or rescaled."""
    sampled: float = 1e-9
    """The same seed draws other rows when the rows, or the values that they are sorted by, move."""
    single: float = 1e-3
    """Single precision moves some codes across the edge of a bin."""
    settings: dict[str, int] = field(default_factory=dict)
    """Settings that cost less than the defaults: there are many calls."""
    not_invariant: dict[str, str] = field(default_factory=dict)
    """A property of `test_every_metric.py` that does not hold -> why.

    The properties are "latents", "values", "factors", "images", "scale", "sign", "ends" (perfect and noise
    are at the ends of RANGE) and "order" (perfect beats partial, and partial beats noise)."""


EXPECTED: dict[str, Expected] = {}


def expected(name: str) -> Expected:
    return EXPECTED.get(name, Expected())


# --- information: mig, mig_sup, jemmig, dcimig, rmig, modularity, med, edi, unsupervised
EXPECTED["mig_sup"] = Expected(
    not_invariant={"scale": "a code whose variance is 0.01 or less is inactive and left out of the mean"}
)
EXPECTED["jemmig"] = Expected(
    noise=0.125,  # 1 − (H(z) + H(v)) / (ln 20 + H(v)): Gaussian noise does not fill 20 bins evenly
    near=0.06,  # of the perfect case: noise crosses bin edges, and entropy within a value counts against it
)
EXPECTED["rmig"] = Expected(
    perfect=0.5,  # the posteriors of the perfect case are 0.1 to 1 wide, its values 0.7 to 1.2 apart
)
EXPECTED["modularity"] = Expected(
    perfect=0.8,  # (3 · 1 + 3 · 0.63) / 6: three codes are silent, so noise
    # Chance information goes with the values less one: 1 − (2² + 3²) / (2 · 4²) = 0.59, and its scatter.
    noise=0.63,
    not_invariant={"order": "silent codes of the perfect case score like noise; the partial case has none"},
)
EXPECTED["edi"] = Expected(
    iterative=1e-4,  # of the regression, where all codes together know more than the best one
)
EXPECTED["unsupervised"] = Expected(
    not_invariant={"order": "noise is as independent as a perfect code: both have no total correlation"}
)

# --- interventions: beta_vae_score, factor_vae_score, irs, fairness, strong_generalisation
EXPECTED["beta_vae_score"] = Expected(
    noise=1 / 3,
    near=0.06,
    iterative=0.005,
    sampled=0.03,  # 5,000 points: standard error ≤ 0.007 each, and the fits differ
    not_invariant={"scale": "its logistic regression is penalised and acts on the codes as they are"},
)
EXPECTED["factor_vae_score"] = Expected(
    noise=1 / 3,
    sampled=0.03,  # 5,000 votes: standard error ≤ 0.007 each, and the majority votes are drawn, too
    not_invariant={"scale": "codes whose standard deviation is under 0.05 are dropped"},
)
EXPECTED["irs"] = Expected(
    # The 99th percentile of a silent code's noise is 2.6/3.9 of its maximum, and so of the others' noise.
    perfect=0.93,
    noise=0.33,  # 1 − 2.6/3.5: 99th percentile and maximum of 3,000 Gaussian numbers
    not_invariant={"scale": "codes are weighted by how far they move"},
)
EXPECTED["fairness"] = Expected(
    settings={"trees": 10},
    noise=0.0,  # codes that know nothing are fair
    # Of noise: 4 classes guessed on 120 to 200 held-out rows per value, ½ Σ √(2 p (1 − p) / (π n)) ≈ 0.06.
    near=0.08,
    iterative=0.01,  # splits that tie are drawn
    not_invariant={
        "order": (
            "predictions from noise do not depend on other factors either, up to sampling: 0.06, as partial"
        )
    },
)
EXPECTED["strong_generalisation"] = Expected(
    settings={"trees": 10},
    noise=(1 / 3 + 1 / 4 + 1 / 5) / 3,
    iterative=0.01,  # splits that tie are drawn
    sampled=0.05,  # another value is seen of each factor: standard deviation 0.01 over seeds
)

# --- probes: sap, explicitness, snc, mcc, r2, dci_es, infomec
_NUMBERS = "factor values are numbers here: their order and distances are what is correlated"
EXPECTED["sap"] = Expected(
    perfect=1 - (1 / 3 + 1 / 4 + 1 / 5) / 3,  # the second best code still guesses
    near=0.06,
    sampled=0.03,  # 600 test rows: a gap of two accuracies on the same rows, standard error ≤ 0.02
    not_invariant={"scale": "the penalty of its support vector machines acts on the codes as they are"},
)
EXPECTED["explicitness"] = Expected(
    noise=0.5,  # the area under the curve of guessing
    iterative=1e-4,
    sampled=0.02,  # 600 test rows: standard error of an area ≤ 0.02, averaged over twelve
)
EXPECTED["snc"] = Expected(
    noise=(1 / 3 + 1 / 4 + 1 / 5) / 3,
    near=0.06,
    sampled=0.03,  # 600 test rows: standard error ≤ 0.02 each
)
EXPECTED["mcc"] = Expected(not_invariant={"values": _NUMBERS})
EXPECTED["r2"] = Expected(
    sampled=0.03,  # 600 test rows: standard error of R² ≤ 0.03 each
    not_invariant={"values": _NUMBERS},
)
EXPECTED["dci_es"] = Expected(
    iterative=0.03,  # permuted or flipped codes meet other random frequencies
    sampled=0.03,
    not_invariant={
        "ends": (
            "explicitness is the shape of the loss-capacity curve: it is flat where nothing can be read, so "
            "noise has 1"
        ),
        "order": "the same: noise is as explicit as perfect codes, and `dci_es_accuracy` is the difference",
    },
)
EXPECTED["infomec"] = Expected(
    not_invariant={
        "scale": "codes whose range is below a twentieth of the largest are pruned, as the authors do",
        "ends": (
            "the largest share of the information that noise seems to have is well above 1/K; a silent code "
            "just above the range that is pruned counts as any other"
        ),
        "order": "the same: codes of noise are modular, and `infomec_explicitness` is the difference",
    },
)

# --- dci
EXPECTED["dci"] = Expected(
    settings={"trees": 20},
    # 100 stages: another one of two nearly equal splits may win, and later trees see other residuals.
    iterative=0.005,
    sampled=0.02,  # other training rows, and other draws between equal splits
)

# --- rate and reconstruction
# Nats: the same seed draws other points, whose mean has a standard error of 0.015.
EXPECTED["kl_decomposition"] = Expected(iterative=0.06, sampled=0.06)
EXPECTED["aggregate_posterior"] = Expected(
    iterative=0.06,
    sampled=0.06,
    not_invariant={
        "order": "the content of codes does not matter, and the world's noise is distributed like the prior"
    },
)

# --- representation, samples, sample_efficiency, udr
EXPECTED["logistic_accuracy"] = Expected(noise=(1 / 3 + 1 / 4 + 1 / 5) / 3, near=0.06, iterative=0.005)
EXPECTED["knn_accuracy"] = Expected(
    noise=(1 / 3 + 1 / 4 + 1 / 5) / 3,
    near=0.07,  # three silent codes, standardised, are half of every distance
)
EXPECTED["few_label_accuracy"] = Expected(
    perfect=0.81,  # from 10 labels per class, in the presence of three silent codes that are standardised too
    noise=(1 / 3 + 1 / 4 + 1 / 5) / 3,
    near=0.06,
    iterative=0.005,
    sampled=0.05,  # other rows are labelled: five draws, standard error about 0.02
)
EXPECTED["clustering"] = Expected(
    noise=(1 / 3 + 1 / 4 + 1 / 5) / 3,
    near=0.06,
    iterative=0.005,
    sampled=0.02,  # other starts lead to another local optimum
    not_invariant={
        "ends": (
            "three factors share the space of codes, so clusters cannot follow each of them "
            "(see test_clustering.py)"
        ),
        "scale": "k-means is about distances between codes as they are",
    },
)
EXPECTED["sample_efficiency"] = Expected(
    settings={"trees": 10},
    # Of a hundred rows many splits gain the same, and the order of the codes decides which one trees take.
    iterative=0.02,
    sampled=0.15,  # other rows are labelled, a hundred of them: standard error about 0.05
    not_invariant={
        "ends": (
            "a ratio without upper bound, near 1 for perfect codes and for codes that know nothing at any "
            "number"
        ),
        "order": "codes that know nothing know as little from few labels as from many: a ratio of 1",
        "sign": (
            "among a hundred rows many thresholds gain the same and trees take the lowest; of a flipped "
            "code, the highest"
        ),
    },
)
EXPECTED["prdc"] = Expected(
    not_invariant={
        "order": (
            "a tenth of noise in every pixel already puts each sample out of the reach of real images: 0, as "
            "for noise"
        )
    },
)
