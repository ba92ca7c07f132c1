"""What one number of the generator's input changes, for a generator whose answer is known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from methods.infogan.codes import CodeSpec
from methods.infogan.effects import effects

NOISE = 3


class Known:
    """Samples of one pixel: half of the first noise number, a tenth of the uniform code, and for the values
    of the categorical one 0, 0.3 and 0.4."""

    codes = CodeSpec((3,), 1)
    config = SimpleNamespace(noise=NOISE)
    inputs = SimpleNamespace(device="cpu")

    def generator(self, inputs: Tensor) -> Tensor:
        weights = torch.tensor([0.5, 0.0, 0.0, 0.0, 0.3, 0.4, 0.1])
        return (inputs @ weights)[:, None, None, None]

    def noise(self, count: int, device: str) -> Tensor:
        return torch.rand(count, NOISE, device=device) * 2 - 1

    def unit(self, fakes: Tensor) -> Tensor:
        return fakes


def test_effects_of_a_known_generator() -> None:
    before = torch.default_generator.get_state()
    found = effects(Known(), "test", lambda: None)  # type: ignore[arg-type]
    assert torch.equal(torch.default_generator.get_state(), before)
    apart = found.pop("test/effect_all")
    assert 0.2 < apart < 0.5
    assert found == {
        "test/effect_code_over_noise": pytest.approx(0.6, rel=1e-5),
        "test/effect_noise_share": pytest.approx(1 / 3 / apart, rel=1e-5),
        "test/effect_c1": pytest.approx((0.3 + 0.1) / 2, rel=1e-5),
        "test/effect_c2": pytest.approx(0.2, rel=1e-5),
        "test/effect_noise": pytest.approx(1 / 3, rel=1e-5),
        "test/effect_noise_most": pytest.approx(1.0, rel=1e-5),
    }
