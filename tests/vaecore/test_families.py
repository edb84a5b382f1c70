"""What every family promises, over every file of the folder; and the limits in which families coincide."""

from __future__ import annotations

import math

import pytest
import torch

from vaecore.families import Family, build, family_class, names
from vaecore.networks import names as network_names
from vaecore.schedules import schedule

B, L, N, SHAPE = 16, 4, 100, (1, 8, 8)
SMALL = {"name": "mlp", "hidden": [12]}
TWO_PLAYERS = {"factor_vae"}


def example(name: str) -> dict[str, object]:
    """A value for every hyper-parameter that has no default, and players of a size for tests."""
    declared = family_class(name).hyperparameters
    values: dict[str, object] = {key: 2.0 for key, each in declared.items() if each.default is None}
    return values | ({"critic_width": 10} if "critic_width" in declared else {})


def make(
    name: str, *, seed: int | None = 0, network=SMALL, likelihood="bernoulli", shape=SHAPE, **hyper: object
) -> Family:
    values = example(name) | hyper
    options = {"image_shape": shape, "latents": L, "network": network, "likelihood": likelihood}
    return build(name, **options, dataset_size=N, hyper=values, seed=seed)


def evaluate(family: Family, x: torch.Tensor, **hyper: float) -> dict[str, torch.Tensor]:
    """The terms of ``x`` at the example's hyper-parameters, or ``hyper``, with noise from a fixed seed."""
    generator = torch.Generator().manual_seed(1)
    draw = {"normal": torch.randn, "uniform": torch.rand}
    noise = {
        key: draw[kind](shape, generator=generator) for key, (kind, shape) in family.noise(len(x)).items()
    }
    scheduled = [key for key, each in family.hyperparameters.items() if each.scheduled]
    return family.terms(x, {key: torch.tensor(float(hyper.get(key, 2.0))) for key in scheduled}, noise)


def gradients(family: Family, loss: torch.Tensor, player: str = "autoencoder") -> list[torch.Tensor | None]:
    (group,) = (group for group in family.parameter_groups() if group["name"] == player)
    return list(torch.autograd.grad(loss, group["params"], allow_unused=True, retain_graph=True))


@pytest.fixture
def x():
    return torch.rand(B, *SHAPE, generator=torch.Generator().manual_seed(2))


every_family = pytest.mark.parametrize("name", names())


@every_family
def test_a_file_holds_one_final_family_that_documents_itself(name):
    cls = family_class(name)
    assert cls.__bases__ == (Family,)
    assert "loss" in __import__(cls.__module__, fromlist=["_"]).__doc__
    for key, each in cls.hyperparameters.items():
        assert each.meaning, key
        if each.default is not None:
            each.check(key, each.default)


@every_family
@pytest.mark.parametrize("likelihood", ["bernoulli", {"name": "gaussian", "sigma": "learned"}], ids=str)
def test_terms_are_per_sample_float32_and_finite(name, likelihood, x):
    family = make(name, likelihood=likelihood)
    for precision in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision):
            terms = evaluate(family, x)
        assert {"loss", "distortion", "rate", "rate_per_latent"} <= set(terms)
        for key, term in terms.items():
            assert term.dtype == torch.float32, key
            assert term.shape == (B, L) if key == "rate_per_latent" else term.shape in ((B,), ()), key
            assert term.isfinite().all() or (name == "ae" and key.startswith("rate")), key
        assert terms["loss"].shape == terms["distortion"].shape == terms["rate"].shape == (B,)
        torch.testing.assert_close(terms["rate"], terms["rate_per_latent"].sum(1))


@every_family
def test_distortion_is_the_exact_negative_log_likelihood(name, x):
    family = make(name, likelihood={"name": "gaussian", "sigma": 0.3})
    noise = torch.zeros(B, L) if family.posterior.noise else None
    distortion = family.autoencoder(x, noise).terms["distortion"]
    images = family.autoencoder.decode(family.autoencoder.encode(x)[0])
    expected = -torch.distributions.Normal(images, 0.3).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(distortion, expected, rtol=1e-5, atol=0)


@every_family
def test_encode_and_decode_give_what_evaluation_needs(name, x):
    autoencoder = make(name).autoencoder
    mean, std = autoencoder.encode(x)
    assert mean.shape == std.shape == (B, L)
    assert (std >= 0).all()
    assert ((std == 0) if name == "ae" else (std > 0)).all()
    images = autoencoder.decode(mean)
    assert images.shape == x.shape
    assert images.min() >= 0
    assert images.max() <= 1


@every_family
@pytest.mark.parametrize("network", network_names())
def test_parameter_groups_are_disjoint_and_complete_and_all_learn(name, network, x):
    family = make(name, network=network, likelihood={"name": "gaussian", "sigma": "learned"})
    groups = [id(weight) for group in family.parameter_groups() for weight in group["params"]]
    assert sorted(groups) == sorted(id(weight) for weight in family.parameters())
    assert len(set(groups)) == len(groups)
    evaluate(family, x)["loss"].mean().backward()
    for key, weight in family.named_parameters():
        assert weight.grad is not None, key
        assert weight.grad.any(), key


@every_family
def test_each_player_is_trained_by_its_own_objective_alone(name, x):
    family = make(name)
    players = [group["name"] for group in family.parameter_groups()]
    assert (len(players) == 2) == (name in TWO_PLAYERS)
    if name not in TWO_PLAYERS:
        return
    terms = evaluate(family, x)
    for key in ("distortion", "rate", "total_correlation"):
        assert all(g is None for g in gradients(family, terms[key].sum(), "critic")), (
            f"{key} trains the critic"
        )
    assert all(g is None for g in gradients(family, terms["critic_loss"].sum())), (
        "the critic trains the autoencoder"
    )
    own = gradients(family, terms["critic_loss"].sum(), "critic")
    torch.testing.assert_close(gradients(family, terms["loss"].sum(), "critic"), own)
    objective = (terms["distortion"] + terms["rate"] + 2.0 * terms["total_correlation"]).sum()
    torch.testing.assert_close(gradients(family, terms["loss"].sum()), gradients(family, objective))


def test_the_critics_loss_is_the_cross_entropy_of_its_logits(x):
    family = make("factor_vae")
    terms = evaluate(family, x)
    generator = torch.Generator().manual_seed(1)
    normal, uniform = torch.randn(B, L, generator=generator), torch.rand(B, L, generator=generator)
    z = family.autoencoder(x, normal).z
    joint, product = family.critic(z), family.critic(z.gather(0, uniform.argsort(0)))
    entropy = torch.nn.functional.cross_entropy
    labels = torch.zeros(B, dtype=torch.int64)
    expected = (entropy(joint, labels, reduction="none") + entropy(product, labels + 1, reduction="none")) / 2
    torch.testing.assert_close(terms["critic_loss"], expected)
    right = ((joint.argmax(1) == 0).float() + (product.argmax(1) == 1).float()) / 2
    torch.testing.assert_close(terms["critic_accuracy"], right)
    torch.testing.assert_close(terms["total_correlation"], joint[:, 0] - joint[:, 1])


def test_the_critic_has_the_papers_optimizer():
    _, critic = make("factor_vae").parameter_groups()
    assert (critic["lr"], critic["betas"]) == (1e-4, (0.5, 0.9))
    _, critic = make("factor_vae", critic_learning_rate=1e-3).parameter_groups()
    assert critic["lr"] == 1e-3


@pytest.mark.parametrize(
    ("name", "hyper", "limit"),
    [
        ("beta_vae", {"beta": 1.0}, "vae"),
        ("factor_vae", {"gamma": 0.0}, "vae"),
        ("beta_tc_vae", {"beta": 1.0}, "vae"),
    ],
)
def test_families_meet_in_their_limits(name, hyper, limit, x):
    """Same seed, same weights, same noise: the same gradient of every weight that they share, bit for bit or nearly."""
    family, plain = make(name), make(limit)
    found = gradients(family, evaluate(family, x, **hyper)["loss"].mean())
    expected = gradients(plain, evaluate(plain, x)["loss"].mean())
    torch.testing.assert_close(
        found, expected, rtol=1e-5, atol=1e-7
    )  # additions of zeros may be ordered differently


def test_annealed_vae_without_gamma_is_reconstruction_alone(x):
    family = make("annealed_vae")
    terms = evaluate(family, x, gamma=0.0)
    torch.testing.assert_close(terms["loss"], terms["distortion"], rtol=0, atol=0)
    found, expected = (gradients(family, terms[key].mean()) for key in ("loss", "distortion"))
    torch.testing.assert_close(found, expected)


def test_annealed_vae_holds_the_batchs_mean_rate(x):
    capacity = make("annealed_vae").autoencoder(x, torch.zeros(B, L)).terms["rate"].median().item()
    terms = evaluate(make("annealed_vae"), x, gamma=5.0, capacity=capacity)
    gap = (terms["rate"].mean() - capacity).abs()
    torch.testing.assert_close(terms["loss"], terms["distortion"] + 5.0 * gap)
    # with C amid the rates of single images, the mean distance is another number
    assert gap < 0.9 * (terms["rate"] - capacity).abs().mean()


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_beta_tc_vae_is_the_papers_sum_of_three(estimator, x):
    """With the closed form of the rate in place of its one-sample estimate MI + TC + DW."""
    family = make("beta_tc_vae", estimator=estimator)
    terms = evaluate(family, x, beta=6.0)
    information, correlation, dimensions = (
        terms[key] for key in ("mutual_information", "total_correlation", "dimension_wise_kl")
    )
    paper = terms["distortion"] + information + 6.0 * correlation + dimensions
    one_sample_rate = information + correlation + dimensions
    torch.testing.assert_close(terms["loss"] - terms["rate"], paper - one_sample_rate, rtol=1e-4, atol=1e-3)


@every_family
def test_weights_depend_on_the_seed_alone(name):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = make(name, seed=3).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before), "the global generator is as it was"
    torch.rand(7)
    again, other = make(name, seed=3).state_dict(), make(name, seed=4).state_dict()
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@every_family
@pytest.mark.parametrize("network", network_names())
def test_weights_save_and_load(name, network, x):
    family, other = make(name, network=network), make(name, network=network, seed=9)
    family.to(memory_format=torch.channels_last)
    state = family.state_dict()
    assert all(weight.is_contiguous() for weight in state.values()), "as safetensors demands"
    other.load_state_dict(state)
    torch.testing.assert_close(evaluate(other, x), evaluate(family, x))


def test_unknown_families_are_answered_with_the_list():
    with pytest.raises(ValueError, match="beta_vae, factor_vae"):
        family_class("betavae")


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("beta_vae", {"hyper": {"beta": -1}}, "beta"),
        ("beta_vae", {"hyper": {}}, "missing"),
        ("vae", {"hyper": {"beta": 1}}, "none"),
        ("beta_tc_vae", {"hyper": {"beta": 1, "estimator": "exact"}}, "stratified, weighted"),
        (
            "factor_vae",
            {"hyper": {"gamma": 1, "critic_learning_rate": {"schedule": "constant", "value": 1}}},
            "cannot",
        ),
        ("vae", {"latents": 0}, "latents"),
        ("vae", {"dataset_size": 0}, "dataset_size"),
    ],
)
def test_mistakes_are_named(name, changed, said):
    options = {
        "image_shape": SHAPE,
        "latents": L,
        "network": SMALL,
        "likelihood": "bernoulli",
        "dataset_size": N,
        "hyper": {},
    }
    with pytest.raises(ValueError, match=said):
        build(name, **(options | changed))


@every_family
def test_scheduled_values_pass_through_build(name):
    declared = family_class(name).hyperparameters
    moving = {"schedule": "linear", "from": 0, "to": 3, "steps": 5}
    scheduled = {key: moving for key, each in declared.items() if each.scheduled}
    make(name, **scheduled)
    assert all(schedule(value)(5) == 3 for value in scheduled.values())


@pytest.mark.parametrize("beta", [0.25, 4.0])
def test_beta_is_a_model_of_the_noise(x, beta):
    """β-VAE with noise σ is the VAE with noise σ √β: losses are β-fold up to a constant, gradients β-fold."""
    sigma, pixels = 0.3, x[0].numel()
    tempered = make("beta_vae", likelihood={"name": "gaussian", "sigma": sigma}, beta=beta)
    wider = make("vae", likelihood={"name": "gaussian", "sigma": sigma * beta**0.5})
    loss, plain = evaluate(tempered, x, beta=beta)["loss"], evaluate(wider, x)["loss"]

    def normaliser(s: float) -> float:
        return pixels * math.log(s * math.sqrt(2 * math.pi))

    expected = beta * (plain - normaliser(sigma * beta**0.5)) + normaliser(sigma)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-3)
    for one, other in zip(gradients(tempered, loss.mean()), gradients(wider, plain.mean()), strict=True):
        torch.testing.assert_close(one, beta * other, rtol=1e-4, atol=1e-4)
