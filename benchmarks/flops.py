"""Floating-point operations of a training step of the study's convolutional model, counted from its layers.

A layer that applies m weights at p places of B images needs 2 B p m operations (a product and a sum each) for
each of three passes: forward, the gradient of its input, the gradient of its weights. Biases, activations,
losses, sampling and Adam are not counted.

    encoder    forward and weights; input except in the first layer, whose input is the images
    decoder    all three
    critic     for the total correlation of B codes: forward and input, since its weights are constant;
               for its own objective on 2 B codes: forward and weights, and input except in the first layer;
               in one pass for both (``vaecore.critics``): forward, weights and input of 2 B codes, but only B
               codes in the input of the first layer
"""

from __future__ import annotations

from torch import nn

from benchmarks import reference

__all__ = ["step"]


def step(
    family: str,
    batch_size: int,
    latents: int = 10,
    image_shape: tuple[int, int, int] = (1, 64, 64),
    *,
    one_pass: bool = False,
) -> float:
    """Operations of one step on ``batch_size`` images with the network "conv".

    ``one_pass``: the critic computes both of its parts in one pass, as ours does.
    """
    down = _layers(reference.encoder("conv", image_shape, latents), image_shape[1])
    up = _layers(reference.decoder("conv", image_shape, latents), image_shape[1] // 16)
    products = sum(3 * m for m in down) - down[0] + sum(3 * m for m in up)
    if family in reference.WITH_CRITIC:
        critic = _layers(reference.critic(latents), 1)
        products += (
            6 * sum(critic) - critic[0] if one_pass else 2 * sum(critic) + 2 * (3 * sum(critic) - critic[0])
        )
    return 2.0 * batch_size * products


def _layers(network: nn.Sequential, side: int) -> list[int]:
    """Products per image in each layer's forward pass; ``side``: of the first convolution's input."""
    products = []
    for layer in network:
        if isinstance(layer, nn.Linear):
            products.append(layer.weight.numel())
        elif isinstance(layer, nn.Conv2d):
            side //= 2
            products.append(layer.weight.numel() * side**2)  # every weight at every output pixel
        elif isinstance(layer, nn.ConvTranspose2d):
            products.append(layer.weight.numel() * side**2)  # every weight at every input pixel
            side *= 2
    return products
