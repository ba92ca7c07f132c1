"""Looks at the latent space: the way between two images, manifolds of four, images from fewer latents."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from methods.realnvp.density import standard_normal
from methods.realnvp.logit import Logit
from methods.realnvp.multiscale import RealNVP


def between(flow: RealNVP, logit: Logit, images: Tensor, noise: Tensor) -> dict[str, Tensor]:
    """Half way between images 0 and 1, 2 and 3, ...: in the latent space, and as a blend of the pixels.

    The latent mid-point is `(z1 + z2) / sqrt(2)`, which has the prior's norm as its ends have (section 4.2's
    angles at 45 degrees). Each pair's `interpolate/nats_minus_blend` is the negative log-density of the
    latent mid-point's image less that of the blend, in logit space.

    Arguments:
        images: integers `[2 N, C, H, W]`.
        noise: as many, uniform in [0, 1).
    """
    y = logit(images, noise)[0]
    z = flow(y)[0]
    path = flow.inverse((z[::2] + z[1::2]) / math.sqrt(2))[0]
    blend = _between_pixels(logit, images, noise)
    again = flow.inverse(z)[0]
    return {
        "interpolate/nats_minus_blend": _nats(flow, path) - _nats(flow, blend),
        "interpolate/reconstruction_error": (again - y).abs().amax((1, 2, 3)),
    }


def _between_pixels(logit: Logit, images: Tensor, noise: Tensor) -> Tensor:
    """The blend of pairs of dequantised images, in logit space."""
    mean = (images[::2].to(noise.dtype) + noise[::2] + images[1::2] + noise[1::2]) / 2
    return logit(mean, torch.zeros_like(mean))[0]


def _nats(flow: RealNVP, y: Tensor) -> Tensor:
    z, log_det = flow(y)
    return -standard_normal(z) - log_det


def manifold(flow: RealNVP, y: Tensor, side: int = 8) -> Tensor:
    """Logit images `[side * side, C, H, W]` of the manifold through four, `y` `[4, C, H, W]` (equation 19).

    z = cos(a) (cos(b) z1 + sin(b) z2) + sin(a) (cos(b) z3 + sin(b) z4), for angles all around.
    """
    z1, z2, z3, z4 = flow(y)[0]
    angles = [2 * math.pi * i / side for i in range(side)]
    first = [math.cos(b) * z1 + math.sin(b) * z2 for b in angles]
    second = [math.cos(b) * z3 + math.sin(b) * z4 for b in angles]
    points = [
        math.cos(a) * one + math.sin(a) * other
        for a in angles
        for one, other in zip(first, second, strict=True)
    ]
    images: Tensor = flow.inverse(torch.stack(points))[0]
    return images


def compressed(
    flow: RealNVP, logit: Logit, images: Tensor, noise: Tensor, generator: torch.Generator
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Images from their coarsest latents alone, the others drawn anew or set to zero (section 4.2, appendix
    D).

    Returns for each number of scales that are left out the root mean square errors `[B]` over pixels in
    [0, 1], and the logit images with the left-out latents at zero.
    """
    y = logit(images, noise)[0]
    z, scale = flow(y)[0], flow.latent_scale().to(y.device)
    fresh = torch.randn(z.shape, generator=generator, device=z.device)
    found: dict[str, Tensor] = {}
    pictures = []
    for left_out in range(1, int(scale.max()) + 1):
        kept = scale >= left_out
        for name, others in (("zero", torch.zeros_like(z)), ("drawn", fresh)):
            image = flow.inverse(torch.where(kept, z, others))[0]
            error = (logit.fraction(image) - logit.fraction(y)).square().flatten(1).mean(1).sqrt()
            found[f"compress/rmse_{name}_{left_out}"] = error
            pictures += [image] if name == "zero" else []
    return found, pictures
