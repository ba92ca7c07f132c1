"""Time of normalisation layers against torch's, and of the runner's training step against one by hand.

    python -m benchmarks.norm [--repeats 15] [--layers-only]

Layers: forward and backward, in turns, in one process, on one thread; printed are torch's milliseconds and
ours over torch's (below 1, ours is faster). `fused` are the layers that training uses, `reference` those in
plain operations. Steps: a ResNet-8 with group and with batch normalisation on random images of 32 pixels,
trained by the engine's loop and by a loop written by hand with the same model, batches, optimiser, rates
and log, in turns; the bounds are a ratio of 1.03, and 1.05 at a batch of 2, where the loop itself shows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn import functional

from datasets.stores import MemoryStore, StoredSplit
from datasets.types import Images
from methods.common.classify.stage import ClassifyStage
from methods.common.norm.make import Norm
from runner import device, schema
from runner.api import Inputs, Metrics
from runner.compose import Composer
from runner.engine.context import Context
from runner.engine.feed import Feed
from runner.engine.journal import Journal
from runner.engine.loop import Training
from runner.engine.seeding import Stream
from runner.registry import CONF
from runner.settings import DebugSettings, TrainerSettings
from runner.signals import StopRequest

CPU = torch.device("cpu")
SHAPES = ((32, 64, 32, 32), (2, 64, 32, 32), (128, 16, 8, 8))
THEIRS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "group": lambda channels: nn.GroupNorm(Norm("group")(channels).num_groups, channels),
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
}
STEPS = {2: 400, 8: 200, 32: 60, 128: 16}
"""Steps of one turn for each batch size: about as long for each."""

LOG_EVERY = 50


def both_ways(layer: nn.Module, x: Tensor, gradient: Tensor) -> float:
    """Seconds of a forward and a backward pass."""
    began = time.perf_counter()
    torch.autograd.backward(layer(x), gradient)
    return time.perf_counter() - began


def compare_layers(repeats: int) -> None:
    """Prints torch's time and the ratios of ours, for each kind and shape."""
    print(f"{'layer':10} {'shape':>18} {'torch, ms':>10} {'fused':>7} {'reference':>10}")
    for kind, theirs in THEIRS.items():
        for shape in SHAPES:
            x, gradient = torch.randn(shape, requires_grad=True), torch.randn(shape)
            layers = [theirs(shape[1]), *(Norm(kind, impl=impl)(shape[1]) for impl in ("fused", "reference"))]  # type: ignore[arg-type]
            rounds = [[both_ways(layer, x, gradient) for layer in layers] for _ in range(4 * repeats)][4:]
            base = statistics.median(times[0] for times in rounds)
            fused, reference = (statistics.median(t[i] / t[0] for t in rounds) for i in (1, 2))
            size = "x".join(map(str, shape))
            print(f"{kind:10} {size:>18} {1000 * base:10.3f} {fused:7.2f} {reference:10.2f}")


def pictures(count: int) -> Images:
    """Random images of 32 pixels in ten classes, the same for all parts."""
    generator = torch.Generator().manual_seed(0)
    store = MemoryStore(torch.randint(256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8))
    split = StoredSplit(store, torch.arange(count) % 10)
    return Images("random", "0", (3, 32, 32), 256, tuple("0123456789"), split, split, split)


class Unevaluated(ClassifyStage):
    """The stage without its evaluations, which the loop by hand has none of."""

    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        return {f"{split}/error": 0.0}


class Contest:
    """One network and batch size, trained by either loop for as long as one turn takes."""

    def __init__(self, norm: str, batch: int, data: Images) -> None:
        words = ["method=groupnorm", f"method.norm={norm}", "method.depth=8", "method.lr=0.01"]
        self.config: Any = Composer(words).compose().method_config
        self.batch, self.data, self.steps = batch, data, STEPS[batch]

    def inputs(self) -> Inputs:
        feed, stream = Feed(CPU, 0), Stream(0, "classify", "look")
        looks = {"batches": partial(feed.batches, stream), "share": partial(feed.share, stream)}
        return Inputs(data=self.data, device=CPU, steps=self.steps, batch_size=self.batch, seed=0, **looks)

    def by_runner(self, folder: Path) -> float:
        """Seconds of the engine's loop, without evaluation; the checkpoint at its end is not counted."""
        node = OmegaConf.to_container(OmegaConf.load(CONF / "trainer" / "default.yaml"))
        assert isinstance(node, dict)
        node |= {"steps": self.steps, "eval_every": None, "checkpoint_every": 10**9, "log_every": LOG_EVERY}
        trainer = schema.build(TrainerSettings, node, "trainer", "conf/trainer/default.yaml")
        context = Context(
            seed=0, device=CPU, precision="fp32", compile=False, trainer=trainer,
            debug=DebugSettings(overfit=False, nan=False, profile=False), data=self.data,
            batch_size=self.batch, feed=Feed(CPU, 0), stop=StopRequest(), cache=folder,
            numerics=device.numerics(CPU, "fp32", False, 1),
        )  # fmt: skip
        journal, saved = Journal(folder), list[float]()
        training = Training(Unevaluated(self.config), self.inputs(), context, folder, journal, "")
        training._save = lambda name: saved.append(time.perf_counter())  # type: ignore[method-assign]
        began = time.perf_counter()
        training._train(began)
        journal.close()
        return saved[-1] - began

    def by_hand(self, folder: Path) -> float:
        """Seconds of a plain loop over the same batches, with the same rates and log."""
        stage = ClassifyStage(self.config)
        stage.build(self.inputs())
        net, optimizer, total = stage.classifier.train(), stage.optimizer, 0.0
        with (folder / "loss.jsonl").open("w") as file:
            began = time.perf_counter()
            for step in range(self.steps):
                images, labels = self.data.train.batch(stage.order(step))
                for group in optimizer.param_groups:
                    group["lr"] = stage.rates(step)["optimizer"]
                logits = net(images)
                loss = functional.cross_entropy(logits, labels)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                wrong = (logits.detach().argmax(1) != labels).float().mean()
                total += loss.item() + wrong.item()
                if (step + 1) % LOG_EVERY == 0:
                    file.write(json.dumps({"step": step + 1, "sum": total / LOG_EVERY}) + "\n")
                    file.flush()
                    total = 0.0
            return time.perf_counter() - began


def compare_steps(repeats: int) -> bool:
    """Prints milliseconds of a step of each loop and their ratio; returns whether all are within bounds."""
    data, good = pictures(10_000), True
    print(f"\n{'network':8} {'batch':>5} {'by hand, ms':>12} {'runner':>8} {'ratio':>7}  bound  10,000, s")
    for norm in ("group", "batch"):
        for batch in STEPS:
            contest, rounds = Contest(norm, batch, data), list[tuple[float, float]]()
            for turn in range(repeats + 1):
                with tempfile.TemporaryDirectory() as folder:
                    loops = [contest.by_hand, contest.by_runner][:: 1 if turn % 2 else -1]
                    times = [1000 * loop(Path(folder)) / contest.steps for loop in loops]
                rounds.append((times[0], times[1]) if turn % 2 else (times[1], times[0]))
            hand, ours = (statistics.median(pair[i] for pair in rounds[1:]) for i in (0, 1))
            ratio = statistics.median(b / a for a, b in rounds[1:])
            bound = 1.05 if batch == 2 else 1.03
            good = good and ratio <= bound
            epoch = ours * 10_000 / batch / 1000
            print(
                f"{norm:8} {batch:5} {hand:12.3f} {ours:8.3f} {ratio:7.3f}  {bound:5}  {epoch:10.1f}",
                flush=True,
            )
    return good


def main() -> None:
    """Prints both tables; exits with 1 where a step is out of bounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--layers-only", action="store_true", help="no training steps")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device.keep_freed_memory()
    compare_layers(options.repeats)
    if not options.layers_only:
        sys.exit(0 if compare_steps(options.repeats) else 1)


if __name__ == "__main__":
    main()
