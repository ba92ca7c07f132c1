"""How fast batches of 32x32x3 images that are in memory are made, against torchvision behind a DataLoader.

    python -m benchmarks.loading

All give a float32 tensor `[B, 3, 32, 32]` in [0, 1] and int64 labels for the same shuffled images, with and
without random flips, in one process and one thread. The repeats of all contestants are interleaved;
what counts is the median of each and the ratios between them. Absolute numbers depend on the machine.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import CIFAR10

from datasets.stores import MemoryStore, StoredSplit
from datasets.types import Shuffle

Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]
Contestant = Callable[[int, bool], Batches]


class Synthetic(CIFAR10):
    """torchvision's CIFAR-10, reading of single items included, without its files."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, flip: bool) -> None:
        flips = [transforms.RandomHorizontalFlip()] if flip else []
        self.data, self.targets = images, labels.tolist()
        self.transform, self.target_transform = transforms.Compose([*flips, transforms.ToTensor()]), None


def contestants(images: np.ndarray, labels: np.ndarray) -> dict[str, Contestant]:
    """By name: functions of a batch size and of whether to flip, which give the batches of one epoch."""
    tensor = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    targets = torch.from_numpy(labels)

    def torchvision(batch_size: int, flip: bool) -> Batches:
        yield from DataLoader(Synthetic(images, labels, flip), batch_size, shuffle=True, drop_last=True)

    def plain(batch_size: int, flip: bool) -> Batches:
        for indices in torch.randperm(len(tensor)).split(batch_size)[: len(tensor) // batch_size]:
            batch = tensor[indices].float() / 255
            if flip:
                chosen = torch.rand(batch_size) < 0.5
                batch[chosen] = batch[chosen].flip(-1)
            yield batch, targets[indices]

    def reclaim(batch_size: int, flip: bool) -> Batches:
        split, shuffle = StoredSplit(MemoryStore(tensor), targets, flip), Shuffle(len(tensor), batch_size, 0)
        for step in range(len(tensor) // batch_size):
            pixels, numbers = split.batch(shuffle(step))
            yield pixels.float().mul_(1 / 255), numbers

    return {"torchvision": torchvision, "plain index": plain, "reclaim": reclaim}


def rate(batches: Batches, limit: int) -> float:
    """Images per second over at most `limit` batches, the first two left out."""
    next(batches), next(batches)
    start, count = time.perf_counter(), 0
    for _, (pixels, _) in zip(range(limit), batches, strict=False):
        count += len(pixels)
    return count / (time.perf_counter() - start)


def main() -> None:
    """Prints images per second and the ratios to torchvision's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (options.images, 32, 32, 3), dtype=np.uint8)
    racers = contestants(images, generator.integers(0, 10, options.images))
    print(f"{options.images} images 32x32x3, one thread, median of {options.repeats} interleaved repeats")
    print(f"{'batch':>5} {'flips':>5}  " + "  ".join(f"{name:>20}" for name in racers))
    for batch_size in (64, 128, 256):
        for flip in (False, True):
            compare(racers, batch_size, flip, options)


def compare(racers: dict[str, Contestant], batch_size: int, flip: bool, options: argparse.Namespace) -> None:
    """One line of the table."""
    rates: dict[str, list[float]] = {name: [] for name in racers}
    for _ in range(options.repeats):
        for name, racer in racers.items():
            # torchvision's epochs take seconds, and a tenth of one says as much.
            limit = options.images // batch_size // (10 if name == "torchvision" else 1)
            rates[name].append(rate(racer(batch_size, flip), limit))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    cells = [f"{value:>9,.0f}/s {value / medians['torchvision']:7.1f}x" for value in medians.values()]
    line = "  ".join(f"{cell:>20}" for cell in cells)
    print(f"{batch_size:>5} {'yes' if flip else 'no':>5}  {line}", flush=True)


if __name__ == "__main__":
    main()
