"""Which settings, names and versions make an experiment another."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from runner import folder
from runner.identity.parts import _versions, identity, parts
from tests.runner.identity.runs import (
    PLAIN,
    TOYS,
    composed,
    differing,
    of,
    python,
)


def test_sixteen_hexadecimal_digits() -> None:
    found = of(*PLAIN)
    assert len(found) == 16
    int(found, 16)


def test_two_processes_agree_whatever_their_hash_seed() -> None:
    code = f"""
import json
from runner.compose import Composer
from runner.identity.parts import identity, parts
run = Composer({list(PLAIN)!r}).compose()
print(json.dumps([identity(run), parts(run)]))
"""
    found = [json.loads(python(code, PYTHONHASHSEED=seed)) for seed in ("1", "2")]
    run = composed(*PLAIN)
    mine = json.loads(json.dumps([identity(run), parts(run)]))
    assert found == [mine, mine]
    assert of(*PLAIN, "seed=1") != mine[0]


@pytest.mark.parametrize(
    "word",
    [
        "seed=1",
        "method.lr=0.0125",
        "method.blocks=3",
        "dataset.batch_size=32",
        "dataset.limit=100",
        "trainer.steps=77",
        "trainer.eval_every=77",
        "trainer.log_every=77",
        "trainer.ema=0.9",
        "threads=3",
        "precision=bf16",
        "compile=true",
        "device=cuda",
        "debug=overfit",
    ],
)
def test_a_setting_that_may_change_a_number_counts(plain: dict[str, Any], word: str) -> None:
    run = composed(*PLAIN, word)
    assert differing(plain, parts(run)) == {"config"}


@pytest.mark.parametrize(
    "word",
    [
        "outputs=elsewhere",
        "data.cache=elsewhere",
        "data.root=/nowhere",
        "data.mirror=/nowhere",
        "data.download=false",
        "data.workers=2",
        "trainer.checkpoint_every=77",
        "trainer.figures_every=77",
        "trainer.figures=false",
        "launcher=local",
        "sweep.retries=3",
        f"methods.path={TOYS}",
    ],
)
def test_places_and_what_changes_no_number_do_not_count(plain: dict[str, Any], word: str) -> None:
    assert parts(composed(*PLAIN, word)) == plain


def test_which_card_is_a_place() -> None:
    assert of(*PLAIN, "device=cuda:1") == of(*PLAIN, "device=cuda:0") == of(*PLAIN, "device=cuda")


def test_a_whole_number_is_the_fraction_that_it_equals() -> None:
    assert of(*PLAIN, "method.lr=1") == of(*PLAIN, "method.lr=1.0") == of(*PLAIN, "method.lr=1e0")


def test_a_preset_is_its_values() -> None:
    named = composed(*PLAIN, "preset=realnvp/digits")
    spelt = [f"{key}={json.dumps(value)}" for key, value in parts(named)["config"].items() if "." in key]
    spelt = [word for word in spelt if word.startswith(("method.", "trainer.", "dataset."))]
    by_hand = composed(*PLAIN, "preset=none", *spelt)
    assert by_hand.choices["preset"] != named.choices["preset"]
    assert parts(by_hand) == parts(named)
    assert of(*PLAIN, "preset=none") != of(*PLAIN)


def test_the_names_of_method_and_data_set_count() -> None:
    one, two = (parts(composed("method=realnvp", f"dataset={name}")) for name in ("mnist", "fashion_mnist"))
    assert one["choices"] != two["choices"]
    assert one["data"] != two["data"]
    assert one["code"] == two["code"]  # both are read by one module


def test_what_reads_the_data_counts() -> None:
    """Which function of a module does is said by the catalog alone, whose code does not count."""
    run = composed("method=realnvp", "dataset=mnist")
    entry = replace(run.dataset.entry, load="datasets.idx:fashion_mnist")
    other = replace(run, dataset=replace(run.dataset, entry=entry))
    assert differing(parts(run), parts(other)) == {"data"}


def test_versions_are_those_of_what_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = parts(composed(*PLAIN))["versions"]
    assert before["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert {"torch", "torchvision", "numpy", "scikit-learn"} <= before.keys()
    assert not {"reclaim", "hydra-core"} & before.keys()
    monkeypatch.setattr(folder, "versions", lambda: {"python": "3.12.1", "torch": "9"})
    _versions.cache_clear()
    assert parts(composed(*PLAIN))["versions"] == {"python": "3.12", "torch": "9"}
    _versions.cache_clear()
