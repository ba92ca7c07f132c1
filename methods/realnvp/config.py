"""Settings of Real NVP; the values, and what they mean, stand in `conf/method/realnvp.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class CompleteConfig:
    """`task=complete`: hidden pixels are filled in by climbing the density."""

    hidden: Literal["right", "left", "top", "bottom"] = field(metadata={"help": "half that is hidden"})
    images: int = field(metadata={"help": "test images", "min": 1, "max": 65536})
    steps: int = field(metadata={"help": "steps of Adam, or of Langevin", "min": 1})
    rate: float = field(metadata={"help": "Adam's learning rate, or Langevin's step size", "above": 0})
    starts: tuple[Literal["mean", "sample", "neighbour"], ...] = field(
        metadata={"help": "where to begin; the likeliest end counts"}
    )
    space: Literal["logit", "pixel"] = field(metadata={"help": "space in which the density is meant"})
    langevin: bool = field(metadata={"help": "sample by Langevin steps instead of climbing"})

    def __post_init__(self) -> None:
        if not self.starts:
            raise ValueError("method.complete.starts must name one start or more")


@dataclass(frozen=True)
class RealNVPConfig:
    """Architecture, objective and optimiser of Real NVP (Dinh, Sohl-Dickstein and Bengio, 2017).

    Raises:
        ValueError: where two values contradict each other; single values are checked against the metadata.
    """

    n_scale: int = field(metadata={"help": "scales of the multi-scale stack", "min": 1, "max": 16})
    couplings: int = field(
        metadata={
            "help": "couplings of each kind and scale; the coarsest has one more",
            "min": 1,
            "max": 1000,
        }
    )
    blocks: int = field(metadata={"help": "residual blocks of every s/t network", "min": 0, "max": 1000})
    width: int = field(
        metadata={"help": "feature maps of the s/t networks at the finest scale", "min": 1, "max": 4096}
    )
    reversible: bool = field(metadata={"help": "keep no activations; compute inputs anew from outputs"})
    coupling: Literal["affine", "additive"] = field(
        metadata={"help": "affine couplings, or NICE's additive ones with one learned diagonal scale"}
    )
    mask: Literal["alternate", "fixed"] = field(metadata={"help": "whether successive couplings swap halves"})
    squeeze_mask: Literal["channel", "checkerboard"] = field(
        metadata={"help": "which halves the couplings on squeezed images exchange"}
    )
    factor_out: bool = field(metadata={"help": "send half of the variables to the latent after each scale"})
    scale_init: float = field(metadata={"help": "initial bound r of the log-scale s = r * tanh(raw)"})
    net_norm: Literal["batch", "none"] = field(metadata={"help": "normalisation inside the s/t networks"})
    dropout: float = field(metadata={"help": "dropout inside residual blocks", "min": 0, "below": 1})
    flow_bn: Literal["batch", "lag", "none"] = field(
        metadata={"help": "batch normalisation of the couplings' outputs, with its log-determinant"}
    )
    flow_bn_rho: float = field(
        metadata={"help": "memory of the moving moments of flow_bn=lag", "min": 0, "below": 1}
    )
    tf_compat: bool = field(
        metadata={"help": "flow_bn moments over all positions of a checkerboard, as in the authors' code"}
    )
    condition: Literal["none", "class", "half", "half_unseen"] = field(
        metadata={
            "help": "what the flow is told: nothing, the class, or the left half of which it models the right"
        }
    )
    logit: Literal["symmetric", "paper", "none"] = field(
        metadata={"help": "map from pixels to the real line"}
    )
    lr: float = field(metadata={"help": "learning rate of Adam", "above": 0})
    betas: tuple[float, ...] = field(metadata={"help": "Adam's decay of the first and second moment"})
    eps: float = field(metadata={"help": "Adam's epsilon", "above": 0})
    l2: float = field(metadata={"help": "weight of the sum of squared weight-norm magnitudes", "min": 0})
    schedule: Literal["constant", "cosine"] = field(metadata={"help": "course of the learning rate"})
    warmup: int = field(metadata={"help": "steps of linear warm-up of the learning rate", "min": 0})
    bn_recalibrate_batches: int = field(
        metadata={
            "help": "training batches that refresh normalisation statistics before evaluation",
            "min": 0,
        }
    )
    eval_dequant_samples: int = field(
        metadata={
            "help": "noise draws K of the importance bound at evaluation; 1 is the paper's",
            "min": 1,
            "max": 100000,
        }
    )
    eval_seed: int = field(
        metadata={"help": "seed of the dequantisation noise at evaluation", "min": 0, "max": 2**63 - 1}
    )
    samples: int = field(metadata={"help": "images in a figure of samples", "min": 1, "max": 65536})
    temperatures: tuple[float, ...] = field(
        metadata={"help": "standard deviations of the prior in the temperature grid"}
    )

    complete: CompleteConfig = field(metadata={"help": "task=complete"})
    look_images: int = field(
        metadata={"help": "test images of task=interpolate and task=compress", "min": 2, "max": 65536}
    )

    def __post_init__(self) -> None:
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"method.betas must be two numbers in [0, 1), not {list(self.betas)}")
        if not self.temperatures or any(t < 0 for t in self.temperatures):
            raise ValueError("method.temperatures must be one or more numbers of at least 0")
        if self.reversible and self.flow_bn == "lag":
            raise ValueError("method.reversible=true does not go with method.flow_bn=lag, whose moments move")
        if self.tf_compat and self.flow_bn == "none":
            raise ValueError("method.tf_compat=true concerns flow batch norm, but method.flow_bn=none")


@dataclass(frozen=True)
class PixelCNNConfig:
    """A model of integer pixels: a small PixelCNN, or pixels by themselves."""

    model: Literal["pixelcnn", "pixelwise"] = field(
        metadata={"help": "pixels given those before them, or each pixel by itself"}
    )
    width: int = field(metadata={"help": "feature maps", "min": 2, "max": 4096})
    blocks: int = field(metadata={"help": "residual blocks", "min": 0, "max": 1000})
    dropout: float = field(metadata={"help": "dropout inside the blocks", "min": 0, "below": 1})
    lr: float = field(metadata={"help": "learning rate of Adam", "above": 0})
    schedule: Literal["constant", "cosine"] = field(metadata={"help": "course of the learning rate"})
    samples: int = field(metadata={"help": "images of task=sample", "min": 1, "max": 65536})
