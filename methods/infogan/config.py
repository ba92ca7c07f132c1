"""Settings of InfoGAN and of the GAN beside it; the values, and what they mean, stand in
`conf/method/infogan.yaml` and `gan.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class GanConfig:
    """Codes, networks, game and evaluation: what both methods have.

    Raises:
        ValueError: where two values contradict each other; single values are checked against the metadata.
    """

    categorical: tuple[int, ...] = field(metadata={"help": "values of each categorical code", "min": 2})
    uniform: int = field(metadata={"help": "codes that are uniform on [-1, 1]", "min": 0})
    gaussian: int = field(metadata={"help": "codes that are standard normal", "min": 0})
    noise: int = field(metadata={"help": "numbers of noise beside the codes", "min": 0})
    noise_kind: Literal["uniform", "normal"] = field(metadata={"help": "distribution of the noise"})

    network: Literal["mnist", "mnist_port", "svhn", "chairs"] = field(
        metadata={"help": "whose layers, by data set"}
    )
    width: float = field(metadata={"help": "factor of the paper's channels and units", "above": 0, "max": 4})
    leak: float = field(metadata={"help": "slope of the discriminator below 0", "min": 0, "below": 1})
    pixels: Literal["unit", "symmetric"] = field(metadata={"help": "range of pixels"})
    spectral_norm: bool = field(metadata={"help": "the discriminator's layers have spectral norm 1"})

    q_network: Literal["shared", "separate"] = field(metadata={"help": "what the codes are read from"})
    q_sd: Literal["fixed", "learned"] = field(metadata={"help": "deviation of the continuous codes' guess"})

    lr: float = field(metadata={"help": "learning rate of the generator", "above": 0})
    d_lr: float = field(metadata={"help": "learning rate of the discriminator", "above": 0})
    betas: tuple[float, ...] = field(metadata={"help": "Adam's decay rates", "min": 0, "below": 1})
    adam_eps: float = field(metadata={"help": "Adam's epsilon", "above": 0})
    smoothing: float = field(metadata={"help": "taken off the target of real images", "min": 0, "below": 0.5})
    fresh: bool = field(metadata={"help": "the generator's step draws new noise and codes"})

    looked_at: int = field(metadata={"help": "images and codes that an evaluation looks at", "min": 16})
    judge_steps: int = field(
        metadata={"help": "steps of the classifier that looks at samples; 0 = none", "min": 0}
    )
    rows: int = field(metadata={"help": "rows of a figure of traversals", "min": 1, "max": 100})
    curve_every: int = field(metadata={"help": "steps between points of the figure of information", "min": 1})

    def __post_init__(self) -> None:
        if not (self.categorical or self.uniform or self.gaussian):
            raise ValueError("method.categorical, uniform and gaussian: there is no code at all")
        if len(self.betas) != 2:
            raise ValueError(f"method.betas has {len(self.betas)} values; Adam has two")

    @property
    def reward(self) -> tuple[float, float]:
        """Weights of the information about categorical and about continuous codes in the game."""
        return 0.0, 0.0


@dataclass(frozen=True)
class InfoGANConfig(GanConfig):
    """The reward for information, and whom it reaches."""

    lambda_disc: float = field(metadata={"help": "weight of what is told of categorical codes", "min": 0})
    lambda_cont: float = field(metadata={"help": "weight of what is told of continuous codes", "min": 0})
    routing: Literal["openai", "port"] = field(metadata={"help": "in whose loss the information is"})

    @property
    def reward(self) -> tuple[float, float]:
        return self.lambda_disc, self.lambda_cont
