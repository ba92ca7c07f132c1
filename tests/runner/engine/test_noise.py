"""Noise for a share of a batch is what one process alone would have drawn for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, distributions
from torch.nn import functional

from runner.engine.noise import SharedNoise

TOTAL = 11
Draw = Callable[[Tensor], Tensor]
DRAWS: dict[str, Draw] = {
    "rand": lambda x: torch.rand(len(x), 3),
    "rand of a size": lambda x: torch.rand(x.shape, device=x.device),
    "rand by name": lambda x: torch.rand(size=(len(x), 2), dtype=torch.float64),
    "randn": lambda x: torch.randn((len(x), 17)),
    "one each": lambda x: torch.randn(len(x)),
    "randint": lambda x: torch.randint(9, (len(x), 4)),
    "randint from": lambda x: torch.randint(3, 9, size=(len(x),)),
    "rand_like": torch.rand_like,
    "randn_like": torch.randn_like,
    "randint_like": lambda x: torch.randint_like(x, 7),
    "uniform_": lambda x: torch.empty(len(x), 5).uniform_(-1, 1),
    "normal_": lambda x: x.new_empty(x.shape).normal_(2.0, 3.0),
    "exponential_": lambda x: torch.empty_like(x).exponential_(),
    "bernoulli_ of rates": lambda x: torch.empty_like(x).bernoulli_(x.sigmoid()),
    "bernoulli": lambda x: torch.bernoulli(x.sigmoid()),
    "multinomial": lambda x: torch.multinomial(x.softmax(1), 2),
    "normal of a size": lambda x: torch.normal(0.0, 1.0, size=(len(x), 3)),
    "normal of a size, by place": lambda x: torch.normal(0.0, 1.0, (len(x), 3)),
    "a tensor's bernoulli": lambda x: x.sigmoid().bernoulli(),
    "a tensor's multinomial": lambda x: x.softmax(1).multinomial(1),
    "torch's dropout": lambda x: torch.dropout(x, 0.3, True),
    "normal": lambda x: torch.normal(x, x.exp()),
    "rsample": lambda x: distributions.Normal(x, 1.0).rsample(),
    "categorical": lambda x: distributions.Categorical(logits=x).sample(),
    "gumbel": lambda x: functional.gumbel_softmax(x, hard=True),
    "dropout": lambda x: functional.dropout(x, 0.3),
    "a dropout module": torch.nn.Dropout(0.4),
    "dropout2d": lambda x: torch.nn.Dropout2d(0.4)(x[:, :, None, None].expand(-1, -1, 2, 2).clone()),
    "dropout, channels last": lambda x: functional.dropout(
        x[:, :, None, None].expand(-1, -1, 3, 3).contiguous(memory_format=torch.channels_last), 0.5
    ),
    "not by item": lambda x: torch.rand(TOTAL + 2),
    "a number": lambda x: torch.rand(()),
    "a generator": lambda x: torch.rand(len(x), generator=torch.Generator().manual_seed(len(x) * 0 + 3)),
    "in evaluation": lambda x: functional.dropout(x, 0.3, training=False),
}
SHARES = {"first": [slice(0, 4)], "last": [slice(4, TOTAL)], "pieces": [slice(2, 4), slice(7, 9)]}


def drawn(draw: Draw, items: Tensor) -> tuple[Tensor, Tensor]:
    """What is drawn, and what is drawn after it."""
    torch.manual_seed(3)
    found = draw(items)
    return found, torch.rand(())


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", DRAWS)
def test_a_share_gets_the_rows_of_the_whole(name: str, share: str) -> None:
    draw, pieces = DRAWS[name], SHARES[share]
    items = torch.randn(TOTAL, 6, generator=torch.Generator().manual_seed(1))
    whole, after = drawn(draw, items)
    own = torch.cat([items[piece] for piece in pieces])
    with SharedNoise(pieces, TOTAL):
        found, then = drawn(draw, own)
    if whole.ndim and len(whole) == TOTAL and name not in ("a generator",):
        whole = torch.cat([whole[piece] for piece in pieces])
    if name != "a generator":
        torch.testing.assert_close(found, whole)
    torch.testing.assert_close(then, after, rtol=0, atol=0)


BY_VALUE: dict[str, Draw] = {
    "poisson": lambda x: torch.poisson(x.exp() * 50),
    "gamma": lambda x: distributions.Gamma(x.exp(), 1.0).sample(),
    "beta": lambda x: distributions.Beta(x.exp(), x.exp()).rsample(),
    "attention": lambda x: functional.scaled_dot_product_attention(
        x[:, None], x[:, None], x[:, None], dropout_p=0.5
    ),
    "lstm": torch.nn.LSTM(6, 4, 2, batch_first=True, dropout=0.5).train(),
}


@pytest.mark.parametrize("name", BY_VALUE)
def test_what_depends_on_values_differs_between_processes_and_leaves_them_in_step(name: str) -> None:
    one = torch.ones(2, 3, 6)[:, 0] if name not in ("attention", "lstm") else torch.ones(2, 3, 6)
    found = []
    for start in (0, 2):
        torch.manual_seed(3)
        with SharedNoise([slice(start, start + 2)], 4):
            drawn = BY_VALUE[name](one)
            found.append((drawn[0] if isinstance(drawn, tuple) else drawn, torch.rand(())))
    assert not torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_gradients_pass_through_what_was_drawn() -> None:
    x = torch.ones(4, 6, requires_grad=True)
    with SharedNoise([slice(2, 6)], 9):
        torch.manual_seed(0)
        functional.dropout(x, 0.5).sum().backward()
    assert x.grad is not None
    assert set(x.grad.unique().tolist()) == {0.0, 2.0}


def test_a_micro_batch_takes_the_place_of_the_whole_batch() -> None:
    items = torch.randn(3, 6)
    whole, _ = drawn(torch.rand_like, items)
    with SharedNoise([slice(4, 7)], TOTAL), SharedNoise([slice(1, 3)], 3):
        found, _ = drawn(torch.rand_like, items[1:])
    torch.testing.assert_close(found, whole[1:])


def test_without_it_a_share_draws_something_else() -> None:
    items = torch.randn(TOTAL, 6)
    whole, _ = drawn(torch.rand_like, items)
    found, _ = drawn(torch.rand_like, items[4:])
    assert not torch.allclose(found, whole[4:])
