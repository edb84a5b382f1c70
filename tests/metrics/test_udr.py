"""UDR: known matrices, a literal transcription, and what the authors' code answers on the same arrays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import Lasso

from metrics.disentanglement.udr import _lasso, _relative_strength, udr

Model = tuple[np.ndarray, np.ndarray]


def against(models: list[Model], i: int, **settings: float) -> dict[str, float]:
    """Model i, with all others as its peers."""
    peers = [model for j, model in enumerate(models) if j != i]
    return udr(*models[i], np.stack([m for m, _ in peers]), np.stack([s for _, s in peers]), **settings)


def independent(n: int, count: int) -> np.ndarray:
    """Columns with mean 0, variance 1 and no correlation at all."""
    z = np.random.default_rng(0).normal(size=(n, count))
    q, _ = np.linalg.qr(z - z.mean(axis=0))
    return q * np.sqrt(n)


def models(n: int = 1000, latents: int = 10, seeds: int = 6) -> list[Model]:
    """Four factors in latents, with another order, other signs, mixing and dead latents for every seed."""
    factors = np.random.default_rng(7).normal(size=(n, 4))
    made = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        mixing = np.zeros((4, latents))
        mixing[np.arange(4), rng.permutation(latents)[:4]] = rng.choice([-1, 1], 4) * rng.uniform(0.7, 1.3, 4)
        mixing += rng.normal(size=(4, latents)) * 0.15 * (seed % 3)
        mean = np.tanh(factors @ mixing) + 0.2 * rng.normal(size=(n, latents))
        std = rng.uniform(0.1, 0.9, size=(n, latents))
        dead = rng.permutation(latents)[: seed % 4]
        mean[:, dead] *= 0.01
        std[:, dead] = 1.0
        made.append((mean, std))
    return made


# "model_scores" that compute_udr_sklearn of disentanglement_lib (commit 86a644d, scikit-learn 1.9) gives for
# models(), with the average KL of each latent as its second input, 1,000 points and its gin files' settings.
LASSO = [0.23598922, 0.28538273, 0.19244544, 0.18057734, 0.22754345, 0.21893213]
SPEARMAN = [0.219867, 0.19175173, 0.1670314, 0.19421011, 0.19175173, 0.17979987]


def test_equals_the_authors_code() -> None:
    made = models()
    for i, (lasso, spearman) in enumerate(zip(LASSO, SPEARMAN, strict=True)):
        found = against(made, i)
        # scikit-learn stops its descent at a duality gap of 1e-4 of the variance; here it runs to the end.
        assert found["udr_lasso"] == pytest.approx(lasso, abs=5e-5)
        assert found["udr_spearman"] == pytest.approx(spearman, abs=1e-8)  # digits of the constants


def literal(z: Model, peers: list[Model], kind: str) -> float:
    def informative(model: Model) -> np.ndarray:
        mean, std = model
        return ((mean**2 + std**2 - 1 - 2 * np.log(std)) / 2).mean(axis=0) > 0.01

    def standard(model: Model) -> np.ndarray:
        mean = model[0]
        return (mean - mean.mean(axis=0)) / mean.std(axis=0)

    scores = []
    for peer in peers:
        a, b = standard(peer)[:, informative(peer)], standard(z)[:, informative(z)]
        if kind == "lasso":
            R = np.abs(Lasso(alpha=0.1, tol=1e-12, max_iter=100_000).fit(a, b).coef_).T
        else:
            R = np.abs([[spearmanr(x, y).statistic for y in b.T] for x in a.T])
        columns = [max(r) ** 2 / sum(r) if sum(r) else 0 for r in R.T]
        rows = [max(r) ** 2 / sum(r) if sum(r) else 0 for r in R]
        scores.append((np.mean(columns) + np.mean(rows)) / 2)
    return float(np.median(scores))


def test_equals_a_literal_transcription() -> None:
    made = models(300, 6, 4)
    for i in range(4):
        peers = [model for j, model in enumerate(made) if j != i]
        found = against(made, i)
        assert found["udr_lasso"] == pytest.approx(literal(made[i], peers, "lasso"), abs=1e-8)
        assert found["udr_spearman"] == pytest.approx(literal(made[i], peers, "spearman"), abs=1e-12)


def test_the_same_latents_in_another_order_and_sign() -> None:
    z, std = independent(500, 4), np.full((500, 4), 0.3)
    turned = [z[:, order] * sign for order, sign in (([2, 0, 1, 3], -1), ([3, 1, 0, 2], [1, -1, 1, -1]))]
    found = udr(z, std, np.stack(turned), np.stack([std, std]))
    # Without correlation the Lasso's weight is the correlation minus the penalty, and at least 0.
    assert found["udr_lasso"] == pytest.approx(0.9, abs=1e-9)
    assert udr(z, std, np.stack(turned), np.stack([std, std]), penalty=0.25)["udr_lasso"] == pytest.approx(
        0.75, abs=1e-9
    )
    # Ranks of uncorrelated numbers are a little correlated: |ρ| is about 1/√500 each.
    assert 0.85 < found["udr_spearman"] < 1


def test_spearman_asks_for_the_order_alone() -> None:
    made = models(300, 4, 3)
    curved = [(np.exp(mean), std) for mean, std in made]
    # The threshold at 0 keeps every latent on both sides.
    assert against(curved, 0, kl_threshold=0)["udr_spearman"] == pytest.approx(
        against(made, 0, kl_threshold=0)["udr_spearman"], abs=1e-12
    )


def test_relative_strength_of_known_matrices() -> None:
    assert _relative_strength(np.eye(3)) == 1
    # Two latents that are each other's twins: 1/2 each, the third 1.
    assert _relative_strength(np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])) == pytest.approx(2 / 3)
    assert _relative_strength(np.ones((3, 3))) == pytest.approx(1 / 3)
    # Columns 0.5²/0.5 and 1/1, rows the same and a row of nothing.
    R = np.array([[0.5, 0], [0, 1.0], [0, 0]])
    assert _relative_strength(R) == pytest.approx((1.5 / 2 + 1.5 / 3) / 2)
    assert _relative_strength(np.zeros((2, 0))) == 0


def test_lasso_meets_its_optimality_conditions() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(50, 8)) @ rng.normal(size=(8, 8))  # strongly correlated
    y = rng.normal(size=(50, 3))
    C, Q = x.T @ x / 50, x.T @ y / 50
    w = _lasso(x, y, 0.1)
    slope = Q - C @ w
    assert np.abs(slope).max() <= 0.1 + 1e-6
    np.testing.assert_allclose(slope[w != 0], 0.1 * np.sign(w[w != 0]), atol=1e-6)


def test_uninformative_latents_are_left_out() -> None:
    z, noise = independent(500, 6), np.random.default_rng(1).normal(size=(500, 2))
    mean = np.concatenate([z[:, :4], 0.01 * noise], axis=1)  # KL of the last two: 0.01²/2
    std = np.concatenate([np.full((500, 4), 0.3), np.ones((500, 2))], axis=1)
    found = udr(mean, std, mean[None], std[None])
    assert found["udr_lasso"] == pytest.approx(0.9, abs=1e-9)
    # Told to keep them, the two are as good as the others: identical on both sides.
    assert udr(mean, std, mean[None], std[None], kl_threshold=0)["udr_lasso"] > 0.85
    # A peer with nothing informative
    assert udr(mean, std, 0 * mean[None], 1 + 0 * std[None]) == {"udr_lasso": 0, "udr_spearman": 0}


def test_a_deterministic_code_is_informative() -> None:
    z = independent(200, 3)
    assert udr(z, 0 * z, z[None], 0 * z[None])["udr_lasso"] == pytest.approx(0.9, abs=1e-9)


def test_the_median_over_peers() -> None:
    z, std = independent(400, 3), np.full((400, 3), 0.5)
    other = np.random.default_rng(5).normal(size=z.shape)
    for good in range(4):
        peers = np.stack([z] * good + [other] * (3 - good))
        found = udr(z, std, peers, np.stack([std] * 3))["udr_lasso"]
        assert found == pytest.approx(0.9, abs=1e-9) if good >= 2 else found < 0.1


def test_shapes_and_settings_are_checked() -> None:
    z, std = independent(50, 3), np.full((50, 3), 0.5)
    with pytest.raises(
        ValueError, match=r"peer_mean: expected the shape of mean \[50, 3\] of each peer, got \[1, 50, 2\]"
    ):
        udr(z, std, z[None, :, :2], std[None, :, :2])
    with pytest.raises(ValueError, match=r"peer_std: expected the shape of peer_mean \[1, 50, 3\]"):
        udr(z, std, z[None], np.stack([std, std]))
    with pytest.raises(ValueError, match="peer_std: expected standard deviations ≥ 0"):
        udr(z, std, z[None], -std[None])
    for bad in (0, -1, np.inf):
        with pytest.raises(ValueError, match="penalty: expected a finite number > 0"):
            udr(z, std, z[None], std[None], penalty=bad)
    with pytest.raises(ValueError, match="kl_threshold: expected nats ≥ 0"):
        udr(z, std, z[None], std[None], kl_threshold=-0.1)
