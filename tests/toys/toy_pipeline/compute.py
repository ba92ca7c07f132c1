"""The two stages that compute something once: a memory map of features, and classifiers fitted to it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from sklearn.svm import LinearSVC

from runner.api import Artifact, ComputeStage, Inputs, Metrics, Work

from .config import FeaturesConfig, SvmConfig
from .network import network, pixels

SPLITS = ("train", "validation", "test")


def mapped(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """A float32 `.npy` file that can be written in place; it is there whole, or not at all."""
    if not path.exists():
        open_memmap(path.with_suffix(".part"), "w+", np.float32, shape).flush()
        os.replace(path.with_suffix(".part"), path)
    array: np.memmap = open_memmap(path, "r+")
    return array


class Features(ComputeStage):
    """Writes `<split>.npy`, float32 `[N, width]`, for every split."""

    name = "features"
    needs = {"finetune": None}

    def __init__(self, config: FeaturesConfig) -> None:
        self.config = config

    @torch.no_grad()
    def run(self, work: Work, inputs: Inputs) -> Metrics:
        data, size, norms = inputs.data, self.config.block, {}
        net = network(math.prod(data.shape), self.config.network).to(inputs.device)
        net.load_state_dict(inputs.artifacts["finetune"].load()["network"])
        net.eval()
        for split in SPLITS:
            part = getattr(data, split)
            cache = mapped(work.dir / f"{split}.npy", (len(part), self.config.network.width))
            for block in work.blocks(-(-len(part) // size), cache.flush):
                rows = torch.arange(block * size, min((block + 1) * size, len(part)))
                images = part.batch(rows).images.to(inputs.device)
                cache[rows.numpy()] = net(pixels(images, data.levels)).cpu().numpy()
            norms[f"{split}/norm"] = float(np.linalg.norm(cache, axis=1).mean())
        return norms


class Svms(ComputeStage):
    """Fits a classifier for each class, on its images and a share of all others, and writes `svms.npy`."""

    name = "svm"
    needs = {"features": None}

    def __init__(self, config: SvmConfig) -> None:
        self.config = config

    def run(self, work: Work, inputs: Inputs) -> Metrics:
        features = np.load(inputs.artifacts["features"].path / "train.npy")
        labels = inputs.data.train.batch(torch.arange(len(features))).labels.numpy()
        weights = mapped(work.dir / "svms.npy", (len(inputs.data.classes), features.shape[1] + 1))
        for block in work.blocks(len(weights), weights.flush):
            rows = np.flatnonzero((labels == block) | (np.random.rand(len(labels)) < self.config.share))
            svm = LinearSVC(C=self.config.c, random_state=np.random.randint(2**31))
            svm.fit(features[rows], labels[rows] == block)
            weights[block] = np.append(svm.coef_, svm.intercept_)
        self._take(weights, inputs)
        return self.evaluate("validation", lambda: None) | self.evaluate("test", lambda: None)

    def restore(self, artifact: Artifact, inputs: Inputs) -> None:
        self._take(np.load(artifact.path / "svms.npy"), inputs)

    def _take(self, weights: np.ndarray, inputs: Inputs) -> None:
        self.weights, self.data = np.array(weights), inputs.data
        self.features = inputs.artifacts["features"].path

    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        tick()
        features = np.load(self.features / f"{split}.npy")
        labels = getattr(self.data, split).batch(torch.arange(len(features))).labels.numpy()
        scores = features @ self.weights[:, :-1].T + self.weights[:, -1]
        return {f"{split}/accuracy": float((scores.argmax(1) == labels).mean())}
