"""A small generative adversarial network in the plane."""

from runner.api import MethodEntry

METHODS = (
    MethodEntry(
        name="toy_gan",
        summary="a GAN in the plane, several discriminator steps for one of the generator",
        paper="after Goodfellow et al., NeurIPS 2014",
        config=".config:GanConfig",
        method=".method:GanMethod",
        needs="points",
    ),
)
