"""The properties of every family, found by walking the folder, and the limits in which families coincide."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch.nn import functional as F

from tests.vaecore.small import SHAPE, SMALL, B, L, N, batch, encode, evaluate, example, make
from vaecore.batch import Batch
from vaecore.families import Family, build, family_class, names, reference
from vaecore.networks import names as network_names
from vaecore.noise import draw
from vaecore.schedules import schedule


def gradients(family: Family, loss: torch.Tensor, player: str = "autoencoder") -> list[torch.Tensor | None]:
    (group,) = (group for group in family.parameter_groups() if group["name"] == player)
    return list(torch.autograd.grad(loss, group["params"], allow_unused=True, retain_graph=True))


@pytest.fixture
def given() -> Batch:
    return batch()


every_family = pytest.mark.parametrize("name", names())


@every_family
def test_a_file_holds_one_final_family_that_documents_itself(name):
    cls = family_class(name)
    assert cls.__bases__ == (Family,)
    assert "loss" in __import__(cls.__module__, fromlist=["_"]).__doc__
    for key, each in cls.options.items():
        assert each.meaning, key
        if each.default is not None:
            each.check(key, each.default)


@every_family
def test_declarations_agree_with_each_other(name):
    cls = family_class(name)
    for key in (cls.strength, cls.target):
        assert key is None or cls.options[key].scheduled
    assert cls.target is None or cls.options[cls.target].unit == "nats"
    assert cls.has_prior >= cls.has_density, "a density over images can be sampled"
    assert not (cls.deterministic and cls.has_density)


def test_one_family_is_the_reference_of_the_others():
    assert reference() == "vae"
    make(reference())  # it needs no labels or factors


@every_family
@pytest.mark.parametrize("likelihood", ["bernoulli", {"name": "gaussian", "sigma": "learned"}], ids=str)
def test_terms_are_per_sample_float32_and_finite(name, likelihood, given):
    family = make(name, likelihood=likelihood)
    for precision in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision):
            terms = evaluate(family, given)
        assert {"loss", "distortion", "rate", "rate_per_group"} <= set(terms)
        for key, term in terms.items():
            assert term.dtype == torch.float32, key
            assert (
                term.ndim == 2 and len(term) == B if key.endswith("_per_group") else term.shape in ((B,), ())
            ), key
            assert term.isfinite().all() or (family.deterministic and key.startswith("rate")), key
        assert terms["loss"].shape == terms["distortion"].shape == terms["rate"].shape == (B,)
        torch.testing.assert_close(terms["rate"], terms["rate_per_group"].sum(1))


@every_family
def test_evaluation_and_training_compute_the_same_distortion_and_rate(name, given):
    """Distortion and rate of ``encode`` are those of ``terms`` for the same noise."""
    family = make(name)
    terms, encoding = evaluate(family, given), encode(family, given)
    for key in ("distortion", "rate", "rate_per_group"):
        torch.testing.assert_close(getattr(encoding, key), terms[key])
    assert encode(family, given, distortion=False).distortion is None
    torch.testing.assert_close(encode(family, given, distortion=False).rate, encoding.rate)


@every_family
def test_distortion_is_the_exact_negative_log_likelihood(name, given):
    """Tested on codes without noise, whose expected image is the reconstruction."""
    family = make(name, likelihood={"name": "gaussian", "sigma": 0.3})
    noise = {key: torch.zeros(shape) for key, (_, shape) in family.code_noise(B).items()}
    found = family.encode(given, noise).distortion
    expected = -torch.distributions.Normal(family.reconstruct(given), 0.3).log_prob(given.x).flatten(1).sum(1)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


@every_family
def test_an_encoding_is_what_the_family_declares(name, given):
    family = make(name)
    one, other = encode(family, given, seed=1), encode(family, given, seed=2)
    assert one.codes.shape == (B, L)
    assert one.rate_per_group.ndim == 2
    assert (one.mean is not None and one.std is not None) == family.has_moments
    if family.has_moments:
        assert one.mean.shape == one.std.shape == (B, L)
        assert ((one.std == 0) if family.deterministic else (one.std > 0)).all()
    assert torch.equal(one.codes, other.codes), "an image's representation is not random"
    assert torch.equal(one.distortion, other.distortion) == family.deterministic
    assert one.rate.isfinite().all() != family.deterministic
    assert family.latents == L
    assert family.image_shape == SHAPE


@every_family
def test_images_come_out_of_codes_and_of_the_prior(name, given):
    family = make(name)
    images = family.reconstruct(given)
    torch.testing.assert_close(family.decode(encode(family, given).codes, given), images)
    drawn = [images]
    if family.has_prior:
        noise = draw(family.sample_noise(B), torch.Generator().manual_seed(3))
        drawn.append(family.sample(noise, given))
        assert (drawn[-1].std(0) > 0).all(), "samples differ"
    else:
        with pytest.raises(AssertionError, match="without a prior"):
            family.sample_noise(B)
    for each in drawn:
        assert each.shape == given.x.shape
        assert 0 <= each.min() <= each.max() <= 1


@every_family
def test_weights_bound_the_likelihood_more_tightly_the_more_there_are(name, given):
    family = make(name)
    if not family.has_density:
        with pytest.raises(AssertionError, match="without a density"):
            family.log_weights(given, {}, 1)
        return
    k, rounds = 64, 20
    noise = draw(family.code_noise(k * rounds * B), torch.Generator().manual_seed(4))
    weights = family.log_weights(given, noise, k * rounds)
    assert weights.shape == (k * rounds, B)
    elbo, error = weights.mean(0), weights.std(0) / math.sqrt(len(weights))
    # encode with the same noise; its rate may be a closed form: five standard errors of that mean
    each = [{key: drawn[i * B : (i + 1) * B] for key, drawn in noise.items()} for i in range(k * rounds)]
    encodings = [family.encode(given, one) for one in each]
    bound = -torch.stack([one.distortion + one.rate for one in encodings]).mean(0)
    assert ((bound - elbo).abs() < 5 * error + 1e-3).all()
    tight = (torch.logsumexp(weights.view(rounds, k, B), 1) - math.log(k)).mean(0)
    assert (tight >= elbo - 1e-4).all(), "Jensen's inequality, over the very same weights"


@every_family
@pytest.mark.parametrize("network", network_names())
def test_parameter_groups_are_disjoint_and_complete_and_all_learn(name, network, given):
    family = make(name, network=network, likelihood={"name": "gaussian", "sigma": "learned"})
    groups = [id(weight) for group in family.parameter_groups() for weight in group["params"]]
    assert sorted(groups) == sorted(id(weight) for weight in family.parameters())
    assert len(set(groups)) == len(groups)
    if "beta" in dict(family.named_buffers()):  # a controller's β starts at 0, without a gradient of the rate
        family.beta.fill_(1.0)
    evaluate(family, given)["loss"].mean().backward()
    for key, weight in family.named_parameters():
        assert weight.grad is not None, key
        assert weight.grad.any(), key


def test_each_player_is_trained_by_its_own_objective_alone(given):
    family = make("factor_vae")
    assert [group["name"] for group in family.parameter_groups()] == ["autoencoder", "critic"]
    terms = evaluate(family, given)
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


def test_the_critics_loss_is_the_cross_entropy_of_its_logits(given):
    family = make("factor_vae")
    terms = evaluate(family, given)
    noise = draw(family.noise(B), torch.Generator().manual_seed(1))
    z = family.autoencoder(given, noise).z
    joint, product = family.critic(z), family.critic(z.gather(0, noise["permutation"].argsort(0)))
    labels = torch.zeros(B, dtype=torch.int64)
    entropies = [
        F.cross_entropy(joint, labels, reduction="none"),
        F.cross_entropy(product, labels + 1, reduction="none"),
    ]
    torch.testing.assert_close(terms["critic_loss"], sum(entropies) / 2)
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
def test_families_meet_in_their_limits(name, hyper, limit, given):
    """Same seed, weights and noise: every shared weight has the same gradient, bit for bit or nearly."""
    family, plain = make(name), make(limit)
    found = gradients(family, evaluate(family, given, **hyper)["loss"].mean())
    expected = gradients(plain, evaluate(plain, given)["loss"].mean())
    # additions of zeros may be ordered differently
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_annealed_vae_without_gamma_is_reconstruction_alone(given):
    family = make("annealed_vae")
    terms = evaluate(family, given, gamma=0.0)
    torch.testing.assert_close(terms["loss"], terms["distortion"], rtol=0, atol=0)
    found, expected = (gradients(family, terms[key].mean()) for key in ("loss", "distortion"))
    torch.testing.assert_close(found, expected)


def test_annealed_vae_holds_the_batchs_mean_rate(given):
    capacity = encode(make("annealed_vae"), given).rate.median().item()
    terms = evaluate(make("annealed_vae"), given, gamma=5.0, capacity=capacity)
    gap = (terms["rate"].mean() - capacity).abs()
    torch.testing.assert_close(terms["loss"], terms["distortion"] + 5.0 * gap)
    # with C amid the rates of single images, the mean distance is another number
    assert gap < 0.9 * (terms["rate"] - capacity).abs().mean()


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_beta_tc_vae_is_the_papers_sum_of_three(estimator, given):
    """With the closed form of the rate in place of its one-sample estimate MI + TC + DW."""
    family = make("beta_tc_vae", estimator=estimator)
    terms = evaluate(family, given, beta=6.0)
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
def test_weights_save_and_load(name, network, given):
    family, other = make(name, network=network), make(name, network=network, seed=9)
    family.to(memory_format=torch.channels_last)
    state = family.state_dict()
    assert all(weight.is_contiguous() for weight in state.values()), "as safetensors demands"
    other.load_state_dict(state)
    torch.testing.assert_close(evaluate(other, given), evaluate(family, given))


@every_family
def test_a_copy_is_the_family_and_apart_from_it(name, given):
    """MLflow pickles models. In a copy, a part that refers to another part refers to the copy's."""
    family = make(name)
    for other in (pickle.loads(pickle.dumps(family)), copy.deepcopy(family)):
        torch.testing.assert_close(evaluate(other, given), evaluate(family, given))
        with torch.no_grad():
            for weight in other.parameters():
                weight.zero_()
        assert not torch.equal(encode(other, given).distortion, encode(family, given).distortion)
        if other.has_prior:
            noise = draw(other.sample_noise(4), torch.Generator().manual_seed(0))
            given_four = given.part(slice(4))
            assert not torch.equal(other.sample(noise, given_four), family.sample(noise, given_four))


def test_an_unknown_family_is_an_error_that_lists_the_families():
    with pytest.raises(ValueError, match="beta_vae, conditional_vae, control_vae, factor_vae"):
        family_class("betavae")


OPTIONS = {
    "image_shape": SHAPE,
    "latents": L,
    "network": SMALL,
    "likelihood": "bernoulli",
    "dataset_size": N,
    "hyper": {},
}


@pytest.mark.parametrize(
    ("name", "changed", "message"),
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
        ("vae", {"initialization": "glorot"}, "kaiming, orthogonal, pytorch, tensorflow"),
        ("vae", {"corruption": {"name": "noise", "sigma": -1}}, "sigma"),
        ("conditional_vae", {}, "'conditional_vae' needs labels, and the data set has none"),
        ("conditional_vae", {"hyper": {"given": "factors"}, "classes": 3}, "needs factors"),
        ("conditional_vae", {"hyper": {"given": "names"}}, "labels, factors"),
        (
            "control_vae",
            {"hyper": {"capacity": 5, "beta_min": 2, "beta_max": 1}},
            "'beta_min' must be ≤ 'beta_max'",
        ),
        ("vamp_vae", {"hyper": {"components": 0}}, "components"),
    ],
)
def test_mistakes_are_named(name, changed, message):
    with pytest.raises(ValueError, match=message):
        build(name, **(OPTIONS | changed))


@every_family
def test_scheduled_values_pass_through_build(name):
    moving = {"schedule": "linear", "from": 0, "to": 3, "steps": 5}
    scheduled = {key: moving for key, each in family_class(name).options.items() if each.scheduled}
    make(name, **scheduled)
    assert all(schedule(value)(5) == 3 for value in scheduled.values())
    assert example(name).keys() >= {
        key for key, each in family_class(name).options.items() if each.default is None
    }


@pytest.mark.parametrize("beta", [0.25, 4.0])
def test_beta_is_a_model_of_the_noise(given, beta):
    """β-VAE with noise σ is the VAE with noise σ √β: losses are β-fold up to a constant, gradients β-fold."""
    sigma, pixels = 0.3, given.x[0].numel()
    tempered = make("beta_vae", likelihood={"name": "gaussian", "sigma": sigma}, beta=beta)
    wider = make("vae", likelihood={"name": "gaussian", "sigma": sigma * beta**0.5})
    loss, plain = evaluate(tempered, given, beta=beta)["loss"], evaluate(wider, given)["loss"]

    def normaliser(s: float) -> float:
        return pixels * math.log(s * math.sqrt(2 * math.pi))

    expected = beta * (plain - normaliser(sigma * beta**0.5)) + normaliser(sigma)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-3)
    for one, other in zip(gradients(tempered, loss.mean()), gradients(wider, plain.mean()), strict=True):
        torch.testing.assert_close(one, beta * other, rtol=1e-4, atol=1e-4)
