"""The same noise for every item, however many processes share a batch.

A process that has some rows of a batch draws for all of them, as one process alone would, and keeps its own.
So what a stage draws for an item does not depend on who computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

SIZED: dict[Any, int] = {torch.rand: 0, torch.randn: 0}
"""Functions that make a tensor of a size, and where among their arguments the size begins."""

LIKE = (torch.rand_like, torch.randn_like)
IN_PLACE = (
    Tensor.uniform_, Tensor.normal_, Tensor.bernoulli_, Tensor.exponential_, Tensor.random_, Tensor.cauchy_,
    Tensor.geometric_, Tensor.log_normal_,
)  # fmt: skip
BY_ROW = (
    torch.bernoulli, torch.multinomial, Tensor.bernoulli, Tensor.multinomial, functional.gumbel_softmax,
    functional.alpha_dropout, functional.feature_alpha_dropout,
)  # fmt: skip
"""Functions that draw for each row of their arguments as it says; the other rows are made up."""

BY_VALUE = (
    torch.poisson, torch.binomial, torch._standard_gamma, torch._sample_dirichlet, functional.rrelu,
    functional.scaled_dot_product_attention, torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu,
)  # fmt: skip
"""Functions that draw more or less by the values that they are given, or for several things at once. What one
process alone would draw cannot be known from a share; each process draws for itself, unlike the others."""

DROPOUT: dict[Any, int] = {
    torch.dropout: 0, functional.dropout: 0, functional.dropout1d: 1, functional.dropout2d: 2,
    functional.dropout3d: 3,
}  # fmt: skip
"""Kinds of dropout, and how many last dimensions share their fate."""


_ACTIVE: list[SharedNoise] = []


class SharedNoise(TorchFunctionMode):
    """While it is active, a draw whose first dimension is the share's is taken to be one row for each item.

    A draw of another size, such as one number for the whole batch, or one from a generator of the stage's
    own, stays as it is: it is the same in every process.

    Arguments:
        pieces: where this process's rows lie in the whole batch.
        total: rows of the whole batch.
    """

    def __init__(self, pieces: Sequence[slice], total: int) -> None:
        super().__init__()
        self.pieces, self.total = list(pieces), total
        self.count = sum(piece.stop - piece.start for piece in pieces)

    def __enter__(self) -> SharedNoise:
        _ACTIVE.append(self)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        _ACTIVE.pop()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        draw = _DRAWS.get(func)
        mine = _ACTIVE[-1] is self  # that of a micro-batch takes the place of the whole batch's
        if draw is None or not mine or kwargs.get("generator") is not None or self.count == self.total:
            return func(*args, **kwargs)
        return draw(self, func, args, kwargs)

    def own(self, rows: Tensor) -> Tensor:
        """This process's rows."""
        return torch.cat([rows[piece] for piece in self.pieces])

    def whole(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The shape for all rows; None where the first dimension is not that of the batch's share."""
        return (self.total, *shape[1:]) if len(shape) and shape[0] == self.count else None

    def like(self, rows: Tensor) -> Tensor | None:
        """An empty tensor for all rows, laid out in memory as `rows` are, since a generator fills it in that
        order."""
        whole = self.whole(tuple(rows.shape))
        if whole is None:
            return None
        strides = rows.stride()
        order = sorted(range(rows.ndim), key=lambda d: (-strides[d], d))
        made = rows.new_empty([whole[d] for d in order])
        return made.permute([order.index(d) for d in range(rows.ndim)])

    def padded(self, rows: Any) -> Any:
        """`rows` among ones, where they are in the whole batch; anything else stays."""
        if not isinstance(rows, Tensor) or self.whole(tuple(rows.shape)) is None:
            return rows
        found = rows.new_ones((self.total, *rows.shape[1:]))
        for piece, own in zip(self.pieces, rows.split([p.stop - p.start for p in self.pieces]), strict=True):
            found[piece] = own
        return found


def _sized(noise: SharedNoise, func: Any, args: Any, kwargs: Any) -> Any:
    size = kwargs.get("size", args[0] if args and not isinstance(args[0], int) else args)
    whole = noise.whole(tuple(size))
    if whole is None:
        return func(*args, **kwargs)
    return noise.own(func(whole, **{k: v for k, v in kwargs.items() if k != "size"}))


def _integers(noise: SharedNoise, func: Any, args: Any, kwargs: Any) -> Any:
    at = next((i for i, value in enumerate(args) if isinstance(value, (tuple, list, torch.Size))), None)
    whole = noise.whole(tuple(kwargs["size"] if at is None else args[at]))
    if whole is None:
        return func(*args, **kwargs)
    if at is None:
        return noise.own(func(*args, **{**kwargs, "size": whole}))
    return noise.own(func(*args[:at], whole, *args[at + 1 :], **kwargs))


def _like(noise: SharedNoise, func: Any, args: Any, kwargs: Any) -> Any:
    whole = noise.like(args[0])
    if whole is None:
        return func(*args, **kwargs)
    return noise.own(func(whole, *args[1:], **kwargs))


def _in_place(noise: SharedNoise, func: Any, args: Any, kwargs: Any) -> Any:
    whole = noise.like(args[0])
    if whole is None:
        return func(*args, **kwargs)
    with torch.no_grad():
        drawn = func(whole, *map(noise.padded, args[1:]), **kwargs)
        return args[0].copy_(noise.own(drawn))


def _normal(noise: SharedNoise, func: Any, args: Any, kwargs: Any) -> Any:
    """`torch.normal` of tensors, or of numbers and a size."""
    if any(isinstance(value, Tensor) for value in (*args, *kwargs.values())):
        return _by_row(noise, func, args, kwargs)
    size = kwargs.get("size", args[2] if len(args) > 2 else ())
    whole = noise.whole(tuple(size))
    if whole is None:
        return func(*args, **kwargs)
    return noise.own(func(*args[:2], **{**kwargs, "size": whole}))


def _by_value(noise: SharedNoise, func: Any, args: Any, kwargs: Any) -> Any:
    """Draws from a generator of this share's own; the default one goes on as in all other processes."""
    if not _draws(func, args, kwargs):
        return func(*args, **kwargs)
    seed = int(torch.randint(2**31 - 1, ())) + noise.pieces[0].start
    used = [torch.cuda.current_device()] if torch.cuda.is_available() and torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=used):
        torch.manual_seed(seed)
        return func(*args, **kwargs)


def _draws(func: Any, args: Any, kwargs: Any) -> bool:
    """Whether such a function draws at all, as it is called."""
    if func is functional.scaled_dot_product_attention:
        return bool(kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0))
    if func is functional.rrelu:
        return bool(kwargs.get("training", args[3] if len(args) > 3 else False))
    if func in (torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu):
        at = next(i for i, value in enumerate(args) if isinstance(value, bool))  # has_biases, layers, dropout
        return bool(args[at + 2]) and bool(args[at + 3])
    return True


def _by_row(noise: SharedNoise, func: Any, args: Any, kwargs: Any) -> Any:
    rows = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
    if not rows or noise.whole(tuple(rows[0].shape)) is None:
        return func(*args, **kwargs)
    named = {name: noise.padded(value) for name, value in kwargs.items()}
    return noise.own(func(*map(noise.padded, args), **named))


def _dropout(noise: SharedNoise, func: Any, args: Any, kwargs: Any) -> Any:
    """The mask alone is drawn for the whole batch; the activations of others are not made up for it."""
    said = dict(zip(("input", "p", "training", "inplace"), args, strict=False)) | kwargs
    said["training"] = said.get("training", said.get("train", True))
    rows, p = said["input"], said.get("p", 0.5)
    mask = noise.like(rows)
    if mask is None or not said["training"] or not 0 < p < 1:
        return func(*args, **kwargs)
    if last := DROPOUT[func]:
        mask = rows.new_empty(mask.shape[:-last] + (1,) * last)
    kept = noise.own(mask.bernoulli_(1 - p)).div_(1 - p)
    return rows.mul_(kept) if said.get("inplace") else rows * kept


_DRAWS: dict[Any, Callable[[SharedNoise, Any, Any, Any], Any]] = {
    **dict.fromkeys(SIZED, _sized),
    torch.randint: _integers,
    **dict.fromkeys(LIKE, _like),
    torch.randint_like: _like,
    **dict.fromkeys(IN_PLACE, _in_place),
    **dict.fromkeys(BY_ROW, _by_row),
    **dict.fromkeys(BY_VALUE, _by_value),
    torch.normal: _normal,
    **dict.fromkeys(DROPOUT, _dropout),
}
