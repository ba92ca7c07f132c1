"""What the loop costs over a loop written by hand: same model, data, shuffling and logging interval.

    python -m benchmarks.overhead

Both train the same small network on the same batches and write its mean loss to a JSON file every 50 steps.
Prints the milliseconds that a step of each takes (median over interleaved repeats, one process, one thread)
and their difference.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from datasets.types import Shuffle
from runner import device, schema
from runner.api import Inputs, Metrics, TrainStage, Update
from runner.engine.context import Context
from runner.engine.feed import Feed
from runner.engine.journal import Journal
from runner.engine.loop import Training
from runner.registry import CONF
from runner.settings import DebugSettings, TrainerSettings
from runner.signals import StopRequest

BATCH, LOG_EVERY = 64, 50


@dataclass
class Data:
    """Random vectors and their classes."""

    train: Tensor
    labels: Tensor


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


class Classify(TrainStage):
    """The small network as a stage."""

    name = "classify"
    config = None

    def build(self, inputs: Inputs) -> None:
        self.data: Data = inputs.data
        self.net = network()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
        self.tracked = {"net": self.net, "optimizer": self.optimizer}
        self.order = Shuffle(len(self.data.train), inputs.batch_size, 0)

    def sample(self, step: int) -> Tensor:
        return self.order(step)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return self.data.train[index], self.data.labels[index]

    def step(self, batch: tuple[Tensor, Tensor], update: Update, step: int) -> Metrics:
        return update.minimise(self.optimizer, self.loss, batch)

    def loss(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Metrics]:
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1]), {}


def by_hand(data: Data, steps: int, folder: Path) -> float:
    """Seconds of the plain loop."""
    net, order, total = network(), Shuffle(len(data.train), BATCH, 0), 0.0
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with (folder / "loss.jsonl").open("w") as file:
        began = time.perf_counter()
        for step in range(steps):
            index = order(step)
            loss = nn.functional.cross_entropy(net(data.train[index]), data.labels[index])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.item()
            if (step + 1) % LOG_EVERY == 0:
                file.write(json.dumps({"step": step + 1, "loss": total / LOG_EVERY}) + "\n")
                file.flush()
                total = 0.0
        return time.perf_counter() - began


def by_runner(data: Data, steps: int, folder: Path) -> float:
    """Seconds of the engine's loop, without evaluation; the checkpoint at its end is not counted."""
    node = OmegaConf.to_container(OmegaConf.load(CONF / "trainer" / "default.yaml"))
    node |= {"steps": steps, "eval_every": None, "checkpoint_every": 10**9, "log_every": LOG_EVERY}
    trainer = schema.build(TrainerSettings, node, "trainer", "conf/trainer/default.yaml")
    where = torch.device("cpu")
    context = Context(
        seed=0, device=where, precision="fp32", compile=False, trainer=trainer,
        debug=DebugSettings(overfit=False, nan=False, profile=False), data=data, batch_size=BATCH,
        feed=Feed(where, 0), stop=StopRequest(), cache=folder,
        numerics=device.numerics(where, "fp32", False, 1),
    )  # fmt: skip
    inputs = Inputs(data=data, device=where, steps=steps, batch_size=BATCH, seed=0)
    journal = Journal(folder)
    training = Training(Classify(), inputs, context, folder, journal, "")
    saved: list[float] = []
    training._save = lambda name: saved.append(time.perf_counter())  # type: ignore[method-assign]
    began = time.perf_counter()
    training._train(began)
    journal.close()
    return saved[-1] - began


def main() -> None:
    """Prints the time of a step of each, and their difference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    data = Data(
        torch.randn(10_000, 64, generator=generator), torch.randint(10, (10_000,), generator=generator)
    )
    hand, ours = [], []
    for _ in range(options.repeats):
        for seconds, loop in ((hand, by_hand), (ours, by_runner)):
            with tempfile.TemporaryDirectory() as folder:
                seconds.append(1000 * loop(data, options.steps, Path(folder)) / options.steps)
    extra = statistics.median(b - a for a, b in zip(hand, ours, strict=True))
    print(f"by hand  {statistics.median(hand):.3f} ms a step")
    print(f"runner   {statistics.median(ours):.3f} ms a step")
    print(f"overhead {extra:.3f} ms a step (bound: 0.15); spread {min(ours) - min(hand):.3f} by minima")


if __name__ == "__main__":
    main()
