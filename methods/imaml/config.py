"""Settings of the methods that learn where to start from; the values, and what they mean, stand in
`conf/method/imaml.yaml`, `maml.yaml` and so on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

LAM = (1e-6, 1e6)
"""Bounds of lambda, given or learned: beyond them I + H / lambda is singular, or I, in single precision."""


@dataclass(frozen=True)
class MetaConfig:
    """Network, tasks, adaptation and optimiser.

    Raises:
        ValueError: where two values contradict each other; single values are checked against the metadata.
    """

    network: Literal["mlp", "conv4"] = field(metadata={"help": "family of networks"})
    hidden: tuple[int, ...] = field(
        metadata={"only": {"network": ("mlp",)}, "help": "units of the hidden layers", "min": 1}
    )
    activation: Literal["relu", "tanh", "sigmoid"] = field(
        metadata={"only": {"network": ("mlp",)}, "help": "nonlinearity"}
    )
    filters: int = field(
        metadata={"only": {"network": ("conv4",)}, "help": "channels of each block", "min": 1, "max": 4096}
    )
    blocks: int = field(metadata={"only": {"network": ("conv4",)}, "help": "blocks", "min": 1, "max": 8})
    tasks_as_one: bool = field(metadata={"help": "one network of all tasks (vmap), or one after another"})
    chunk: int | None = field(metadata={"help": "tasks at a time; null = all of a batch", "min": 1})

    way: int = field(metadata={"help": "classes of an episode; regression has none", "min": 2})
    shot: int = field(metadata={"help": "images of each class, or points, to adapt to", "min": 1})
    query: int = field(metadata={"help": "images of each class, or points, to be asked about", "min": 1})
    episodes: int = field(metadata={"help": "test tasks", "min": 2})
    validation_episodes: int = field(metadata={"help": "validation tasks", "min": 2})
    epoch: int = field(metadata={"help": "tasks that are called an epoch", "min": 1})

    inner_lr: float = field(metadata={"help": "rate of an adaptation's steps", "above": 0})
    inner_steps: int = field(metadata={"help": "steps of an adaptation in training", "min": 1})
    test_steps: int | None = field(metadata={"help": "steps in testing; null = inner_steps", "min": 1})

    lr: float = field(metadata={"help": "learning rate of Adam, on the meta-parameters", "above": 0})
    adam_eps: float = field(metadata={"help": "epsilon of Adam", "above": 0})


@dataclass(frozen=True)
class SolverConfig(MetaConfig):
    """Adaptation by any solver."""

    inner_solver: Literal["gd", "momentum", "nesterov", "adam", "hessian_free", "lbfgs"] = field(
        metadata={"help": "how a task is adapted to"}
    )


@dataclass(frozen=True)
class ImamlConfig(SolverConfig):
    """The implicit meta-gradient."""

    lam: float = field(
        metadata={"help": "lambda, the strength of the pull to the start", "min": LAM[0], "max": LAM[1]}
    )
    learn_lam: Literal["none", "scalar", "layers"] = field(metadata={"help": "whether lambda is learned"})
    lam_lr: float = field(
        metadata={"only": {"learn_lam": ("scalar", "layers")}, "help": "rate of its logarithm", "above": 0}
    )
    inverse: Literal["cg", "neumann"] = field(metadata={"help": "how the linear system is solved"})
    cg_steps: int = field(metadata={"help": "steps of conjugate gradients, or terms of the series", "min": 0})
    cg_tol: float = field(
        metadata={"only": {"inverse": ("cg",)}, "help": "relative residual that ends them", "min": 0}
    )
    damping: float = field(metadata={"help": "added to the system's matrix", "min": 0})
    directions: int = field(
        metadata={
            "only": {"inner_solver": ("hessian_free",)},
            "help": "steps of conjugate gradients for a direction of inner_solver=hessian_free",
            "min": 1,
        }
    )
    variant: Literal["paper", "official_code"] = field(
        metadata={"help": "the paper's system and problem, or those of its authors' code"}
    )


@dataclass(frozen=True)
class MamlConfig(MetaConfig):
    """Through the adaptation's steps."""

    through: int | None = field(metadata={"help": "last steps that are gone back through, or all", "min": 1})


@dataclass(frozen=True)
class AnilConfig(MamlConfig):
    """The same, in the last layer alone."""


@dataclass(frozen=True)
class FomamlConfig(SolverConfig):
    """Without second derivatives."""


@dataclass(frozen=True)
class ReptileConfig(SolverConfig):
    """Towards the adapted parameters."""
