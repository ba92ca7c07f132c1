"""Few-shot learning against easyfsl, torchopt and higher: episodes, steps, meta-gradients, and their memory.

    pip install easyfsl==1.5.0 torchopt==0.7.3 higher==0.2.1
    python -m benchmarks.fewshot [--repeats 15] [--out FILE.png]

One thread; each ratio is the peer's time over ours, the median of rounds in which both took turns, so above
1 ours is faster. Episodes are 20-way, 1 support and 5 query images of 28x28 pixels. Meta-gradients are
those of 25 sine curves and a network of 40 and 40 units, and of 4 episodes (5-way, 1 and 15 images) and four
blocks of 16 filters. Memory is the allocator's peak above what was there before. Bounds, in brackets: at
least that often as fast, at most that many megabytes; the exit code is 1 where one is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional

from datasets.types import ClassSplit, EpisodeSampler
from methods.common.cost import peak_mb, seconds
from methods.common.fewshot.conv4 import Conv4
from methods.imaml.implicit import Implicit
from methods.imaml.inner import Inner
from methods.imaml.meta import implicit, unrolled
from methods.imaml.network import Flat, conv4, mlp
from methods.imaml.tasks import Tasks
from methods.protonet.distance import Distance
from methods.protonet.prototypes import Nearest
from runner import device

WAY, SHOT, QUERY = 20, 1, 5
CG_STEPS = 5
STEPS = (1, 4, 16, 64)

Loss = Callable[[Tensor, Tensor], Tensor]


def timed(do: Callable[[], Any]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def contest(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Our median seconds, and the median of their time over ours; they take turns at going first."""
    rounds = []
    for turn in range(repeats + 2):
        pair = [timed(do) for do in (ours, theirs)[:: 1 if turn % 2 else -1]][:: 1 if turn % 2 else -1]
        rounds.append(pair)
    kept = rounds[2:]
    return statistics.median(a for a, _ in kept), statistics.median(b / a for a, b in kept)


class Report:
    """Lines that are printed, and whether all bounds held."""

    def __init__(self) -> None:
        self.good = True

    def ratio(self, what: str, ours: float, ratio: float, bound: float) -> None:
        self.good = self.good and ratio >= bound
        print(f"{what:48} {1000 * ours:9.3f} ms {ratio:7.2f} times as fast ({bound})", flush=True)

    def memory(self, what: str, found: Mapping[int, float], bound: Callable[[int], float]) -> None:
        good = all(found[t] <= bound(t) for t in found)
        self.good = self.good and good
        shown = "  ".join(f"{t}: {found[t]:.1f} ({bound(t):.1f})" for t in found)
        print(f"{what:48} MB at steps {shown}", flush=True)


# Episodes, and steps of a prototypical network


class Items:
    """The images as easyfsl asks for them, one at a time."""

    def __init__(self, split: ClassSplit) -> None:
        self.images = split.images
        self.labels = np.repeat(np.arange(len(split)), split.counts).tolist()

    def get_labels(self) -> list[int]:
        return self.labels  # type: ignore[no-any-return]

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        return self.images[place], self.labels[place]


def part(classes: int = 624, images: int = 20) -> ClassSplit:
    """Random images, as many as the small Omniglot's training part has."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (classes * images, 1, 28, 28), generator=generator, dtype=torch.uint8)
    names = [str(k) for k in range(classes)]
    return ClassSplit(pixels, np.full(classes, images), names, names)


def plain_conv4(filters: int = 64) -> nn.Sequential:
    """The four blocks as the papers write them down."""
    layers: list[nn.Module] = []
    for before in (1, filters, filters, filters):
        convolution = nn.Conv2d(before, filters, 3, padding=1)
        layers += [convolution, nn.BatchNorm2d(filters), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten())


class TheirEpisodes:
    """easyfsl's sampler and its collation; its constructor hands the sampler of torch an argument that it no
    longer takes."""

    def __init__(self, split: ClassSplit) -> None:
        from easyfsl.samplers import TaskSampler
        from torch.utils.data import Sampler

        kept = Sampler.__init__
        Sampler.__init__ = lambda self, data_source=None: None  # type: ignore[method-assign,assignment]
        try:
            self.items = Items(split)
            self.sampler = TaskSampler(self.items, WAY, SHOT, QUERY, 10**9)
        finally:
            Sampler.__init__ = kept  # type: ignore[method-assign]
        self.places = iter(self.sampler)

    def __call__(self) -> Any:
        return self.sampler.episodic_collate_fn([self.items[place] for place in next(self.places)])


def compare_episodes(report: Report, repeats: int) -> None:
    from easyfsl.methods import PrototypicalNetworks

    split = part()
    sampler, theirs = EpisodeSampler(split, WAY, SHOT, QUERY, 0, 100), TheirEpisodes(split)
    numbers = iter(range(10**9))
    several = range(20)
    ours, ratio = contest(
        lambda: [sampler.batch(torch.tensor([next(numbers)])) for _ in several],
        lambda: [theirs() for _ in several],
        repeats,
    )
    report.ratio("an episode, sampled and gathered", ours / len(several), ratio, 4)

    torch.manual_seed(0)
    nets = [Conv4((1, 28, 28), 64).to(memory_format=torch.channels_last), plain_conv4()]  # type: ignore[call-overload]
    optimizers = [torch.optim.Adam(net.parameters(), 1e-3, fused=True) for net in nets]
    head, classifier = Nearest(Distance("sqeuclidean", 64)), PrototypicalNetworks(nets[1])

    def our_step() -> None:
        batch = sampler.batch(torch.tensor([next(numbers)]))
        images = torch.cat((batch.support, batch.query), 1)
        z = nets[0](images[0].float() / 255).unsqueeze(0)
        scores = head(z[:, : WAY * SHOT], batch.support_labels, z[:, WAY * SHOT :], WAY)
        optimizers[0].zero_grad(set_to_none=True)
        functional.nll_loss(scores[0], batch.query_labels[0]).backward()
        optimizers[0].step()

    def their_step() -> None:
        support, labels, query, asked, _ = theirs()
        classifier.process_support_set(support.float() / 255, labels)
        optimizers[1].zero_grad(set_to_none=True)
        functional.cross_entropy(classifier(query.float() / 255), asked).backward()
        optimizers[1].step()

    report.ratio("a step of a prototypical network", *contest(our_step, their_step, repeats), 1.2)


# Meta-gradients


class Problem:
    """Tasks, a network, and the loss of one task.

    Arguments:
        net: with the meta-parameters.
        data: support inputs and targets, and query ones, `[M, ...]` each.
        loss: of one task's outputs and targets.
        how: `vmap` or `loop`, how our own code runs the tasks.
        lr: rate of adaptation.
        lam: lambda, so great that the Hessian leaves the system positive definite, where torchopt, which does
            not look, computes the same as we do.
    """

    def __init__(
        self, net: nn.Module, data: tuple[Tensor, ...], loss: Loss, how: Any, lr: float, lam: float
    ) -> None:
        self.net, self.data, self.loss, self.lr, self.lam = net, data, loss, lr, lam
        self.many = len(data[0])
        self.flat, self.theta = Flat(net, how), Flat(net, how).vector().detach()
        x, y, xq, yq = data
        self.tasks = Tasks(self._losses(x, y), self._losses(xq, yq))

    def _losses(self, x: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
        def losses(phi: Tensor) -> Tensor:
            outputs = self.flat(phi, x)
            return torch.stack([self.loss(o, t) for o, t in zip(outputs, y, strict=True)])

        def regressions(phi: Tensor) -> Tensor:
            return (self.flat(phi, x) - y).square().mean((1, 2))

        return regressions if y.is_floating_point() else losses

    def imaml(self, steps: int) -> Tensor:
        lam, solve = torch.tensor(self.lam), Implicit(CG_STEPS)
        return implicit(self.tasks, self.theta, lam, Inner("gd", steps, self.lr), solve, self.many).gradient

    def maml(self, steps: int) -> Tensor:
        return unrolled(self.tasks, self.theta, self.lr, steps, self.many).gradient

    def of_net(self, total: Tensor) -> Tensor:
        gradients = torch.autograd.grad(total / self.many, list(self.net.parameters()))
        return torch.cat([g.flatten() for g in gradients])

    def imaml_by_torchopt(self, steps: int) -> Tensor:
        """torchopt's implicit module with conjugate gradients, one task after another."""
        import torchopt

        loss, lr, lam = self.loss, self.lr, self.lam

        class Adapted(
            torchopt.nn.ImplicitMetaGradientModule,
            linear_solve=torchopt.linear_solve.solve_cg(maxiter=CG_STEPS, rtol=0.0, atol=0.0),
        ):  # type: ignore[misc]
            def __init__(self, meta: nn.Module) -> None:
                super().__init__()
                self.meta, self.net = meta, torchopt.module_clone(meta, by="deepcopy", detach_buffers=True)

            def objective(self, x: Tensor, y: Tensor) -> Tensor:
                pull = sum(
                    (a - b).square().sum()
                    for a, b in zip(self.net.parameters(), self.meta.parameters(), strict=True)
                )
                return loss(self.net(x), y) + 0.5 * lam * pull

            def solve(self, x: Tensor, y: Tensor) -> Adapted:
                parameters = tuple(self.net.parameters())
                optimizer = torch.optim.SGD(parameters, lr)
                with torch.enable_grad():
                    for _ in range(steps):
                        value = self.objective(x, y)
                        optimizer.zero_grad()
                        value.backward(inputs=parameters)
                        optimizer.step()
                return self

        total = torch.zeros(())
        for x, y, xq, yq in zip(*self.data, strict=True):
            task = Adapted(self.net)
            total = total + loss(task.solve(x, y).net(xq), yq)
        return self.of_net(total)

    def maml_by_torchopt(self, steps: int) -> Tensor:
        """torchopt's differentiable SGD, one task after another."""
        import torchopt

        optimizer, total = torchopt.MetaSGD(self.net, lr=self.lr), torch.zeros(())
        start = [torchopt.extract_state_dict(one, by="reference") for one in (self.net, optimizer)]
        for x, y, xq, yq in zip(*self.data, strict=True):
            for _ in range(steps):
                optimizer.step(self.loss(self.net(x), y))
            total = total + self.loss(self.net(xq), yq)
            for one, state in zip((self.net, optimizer), start, strict=True):
                torchopt.recover_state_dict(one, state)
        return self.of_net(total)

    def maml_by_higher(self, steps: int) -> Tensor:
        """higher's differentiable SGD, one task after another."""
        import higher

        optimizer, total = torch.optim.SGD(self.net.parameters(), self.lr), torch.zeros(())
        for x, y, xq, yq in zip(*self.data, strict=True):
            with higher.innerloop_ctx(self.net, optimizer, copy_initial_weights=False) as (net, inner):
                for _ in range(steps):
                    inner.step(self.loss(net(x), y))
                total = total + self.loss(net(xq), yq)
        return self.of_net(total)


def sines() -> Problem:
    torch.manual_seed(0)
    x = torch.rand(25, 20, 1) * 10 - 5
    y = torch.rand(25, 1, 1) * 5 * torch.sin(x + 3 * torch.rand(25, 1, 1))
    data = (x[:, :10], y[:, :10], x[:, 10:], y[:, 10:])
    return Problem(
        mlp(1, (40, 40), 1, "relu"), data, lambda o, t: (o - t).square().mean(), "vmap", 0.01, 20.0
    )


def images(many: int = 4) -> Problem:
    torch.manual_seed(0)
    labels = torch.arange(5)
    data = (
        torch.rand(many, 5, 1, 28, 28), labels.expand(many, -1),
        torch.rand(many, 75, 1, 28, 28), labels.repeat_interleave(15).expand(many, -1),
    )  # fmt: skip
    return Problem(conv4((1, 28, 28), 16, 4, 5), data, functional.cross_entropy, "loop", 0.01, 50.0)


def agree(problem: Problem, steps: int) -> None:
    """Raises RuntimeError where the peers compute another gradient; then their times mean nothing."""
    pairs = {
        "iMAML, torchopt": (problem.imaml, problem.imaml_by_torchopt),
        "MAML, torchopt": (problem.maml, problem.maml_by_torchopt),
        "MAML, higher": (problem.maml, problem.maml_by_higher),
    }
    for name, (ours, theirs) in pairs.items():
        a, b = ours(steps), theirs(steps)
        if (a - b).norm() > 2e-3 * b.norm():
            raise RuntimeError(f"{name}: the gradients differ by {((a - b).norm() / b.norm()).item():.2g}")


def compare_meta(report: Report, repeats: int) -> None:
    for name, problem, steps, bounds in (
        ("25 sine curves, 5 steps", sines(), 5, (8, 6, 6)),
        ("4 episodes, four blocks, 8 steps", images(), 8, (1.1, 1.1, 1.0)),
    ):
        agree(problem, steps)
        rivals = (
            ("iMAML and torchopt", problem.imaml, problem.imaml_by_torchopt),
            ("MAML and torchopt", problem.maml, problem.maml_by_torchopt),
            ("MAML and higher", problem.maml, problem.maml_by_higher),
        )
        for (said, ours, theirs), bound in zip(rivals, bounds, strict=True):
            found = contest(partial(ours, steps), partial(theirs, steps), repeats)
            report.ratio(f"{name}: {said}", *found, bound)


def compare_memory(report: Report, out: Path | None) -> None:
    """Of one episode, whose gradient is all that is held at a time."""
    problem = images(1)
    kinds = {
        "iMAML": problem.imaml, "iMAML, torchopt": problem.imaml_by_torchopt, "MAML": problem.maml,
        "MAML, higher": problem.maml_by_higher,
    }  # fmt: skip
    found = {name: {t: peak_mb(partial(do, t)) for t in STEPS} for name, do in kinds.items()}
    flat = found["iMAML"]
    report.memory("iMAML", flat, lambda t: min(1.01 * flat[4], found["iMAML, torchopt"][t]))
    report.memory("MAML", found["MAML"], lambda t: found["MAML, higher"][t])
    for name in ("iMAML, torchopt", "MAML, higher"):
        print(f"{name:48} MB at steps " + "  ".join(f"{t}: {mb:.1f}" for t, mb in found[name].items()))
    if out is not None:
        times = {name: {t: seconds(partial(do, t), 5) for t in STEPS} for name, do in kinds.items()}
        draw({"MB at the peak": found, "seconds": times}, out)


def draw(panels: Mapping[str, Mapping[str, Mapping[int, float]]], path: Path) -> None:
    """Memory and time against inner steps."""
    figure = Figure(figsize=(8.4, 3.3), dpi=120, layout="constrained")
    colours = {"iMAML": "#0072B2", "MAML": "#D55E00"}
    for axes, (said, found) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for name, values in found.items():
            colour = colours[name.split(",")[0]]
            style = "o-" if name in colours else "x:"
            axes.plot(list(values), list(values.values()), style, color=colour, label=name)
        axes.set_xlabel("steps of adaptation")
        axes.set_ylabel(f"{said}, one episode")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, help="draw memory and time against inner steps")
    parser.add_argument("--only", choices=("episodes", "meta", "memory"), help="one of the parts")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device.keep_freed_memory()
    report = Report()
    if options.only in (None, "episodes"):
        compare_episodes(report, options.repeats)
    if options.only in (None, "meta"):
        compare_meta(report, options.repeats)
    if options.only in (None, "memory"):
        compare_memory(report, options.out)
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    main()
