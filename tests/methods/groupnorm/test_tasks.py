"""Both methods as the command runs them: training, looks, checks, and what is refused."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from PIL import Image

from methods import batchnorm, groupnorm
from runner import cli

SMALL = ["method.network=resnet", "method.width=4", "trainer.steps=4", "trainer.log_every=2", "threads=1"]


def done(outputs: Path, *words: str) -> Path:
    assert cli.main([*words, f"outputs={outputs}"]) == 0
    (place,) = outputs.glob("*/*")
    return place


def metrics(place: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((place / "result.json").read_text())["metrics"]
    return found


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_a_trained_network_is_looked_at(norm: str, tmp_path: Path) -> None:
    place = done(
        tmp_path / "run", "method=groupnorm", f"method.norm={norm}", "method.percentiles_every=2",
        "method.look_images=512", *SMALL,
    )  # fmt: skip
    with Image.open(place / "figures" / "quantiles.png") as image:
        assert image.size[0] > 300
    for task, names in (("statistics", "mean_slope"), ("channels", "mean_spread")):
        found = metrics(done(tmp_path / task, f"task={task}", f"checkpoint={place}"))
        assert f"{task}/{names}" in found
        assert (next((tmp_path / task).glob("*/*")) / "figures" / f"{task}.png").is_file()


def test_few_images_give_fewer_sizes_and_too_few_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = done(tmp_path / "run", "method=groupnorm", "dataset.batch_size=4", *SMALL)
    words = ["task=statistics", f"checkpoint={place}"]
    found = metrics(done(tmp_path / "some", *words, "dataset.limit=20"))
    assert {name for name in found if "mean_error" in name} == {
        f"statistics/mean_error_{size}" for size in (2, 4, 8)
    }
    assert cli.main([*words, "dataset.limit=7", f"outputs={tmp_path / 'few'}"]) == 2
    assert "takes 8 training images or more, not 7" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["batchnorm", "groupnorm"])
def test_what_is_reported_is_what_the_entry_says(name: str, tmp_path: Path) -> None:
    (entry,) = (groupnorm if name == "groupnorm" else batchnorm).METHODS
    more = ["method.ics_every=2", "method.quantiles_every=2"] if name == "batchnorm" else []
    place = done(tmp_path, f"method={name}", "method.norm=batch", *SMALL, *more)
    found = metrics(place)
    assert {"test/accuracy", "test/gap", "validation/error_high", "test/train_mode_gap"} <= found.keys()
    assert [n for n in found if not any(fnmatchcase(n, pattern) for pattern in entry.metrics)] == []


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["method=batchnorm", "task=check/batch_of_one"], {"check/refuses_one": 1}),
        (["method=batchnorm", "method.norm=group", "task=check/batch_of_one"], {"check/refuses_one": 0}),
        (["method=batchnorm", "task=check/coupled"], {"check/moved_eval": 0}),
        (["method=batchnorm", "method.norm=layer", "task=check/coupled"], {"check/moved_train": 0}),
        (
            ["method=batchnorm", "method.norm=none", "method.dropout=0.5", "task=check/coupled"],
            {"check/moved_train": 0},
        ),
        (["method=groupnorm", "task=check/one_function"], {"check/mode_difference": 0}),
        (["method=batchnorm", "method.norm=none", "task=check/batch_of_one"], {"check/refuses_one": 0}),
        (["method=groupnorm", "method.network=mlp", "task=check/one_function"], {"check/mode_difference": 0}),
    ],
)
def test_checks(words: list[str], wanted: dict[str, float], tmp_path: Path) -> None:
    found = metrics(done(tmp_path, *words))
    assert {name: found[name] for name in wanted} == wanted


def test_batch_norm_is_seen_where_group_norm_is_not(tmp_path: Path) -> None:
    assert metrics(done(tmp_path / "a", "method=batchnorm", "task=check/coupled"))["check/moved_train"] > 1e-3
    place = done(tmp_path / "b", "method=groupnorm", "method.norm=batch", "task=check/one_function")
    assert metrics(place)["check/batch_difference"] > 1e-3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["method.norm=bach"], "is not one of none, batch, group"),
        (
            ["method.norm=group", "method.groups=3"],
            "method.groups=3 does not divide the 100 channels of method.hidden; 1, 2, 4 do",
        ),
        (
            ["method.network=resnet", "method.depth=9"],
            "no ResNet of method.depth=9: depths are 8, 14, 20 and so on, of which 8 is",
        ),
        (
            ["method.network=vgg16"],
            "network=vgg16 halves sides five times: (1, 8, 8) is too small, dataset.size=32 not",
        ),
        (
            ["task=check/batch_of_one", "method.norm=group", "method.hidden=[1]"],
            "makes groups of one value",
        ),
        (["method.norm=group", "method.groups=100"], "makes groups of one value"),
        (
            ["method=groupnorm", "method.groups=5"],
            "method.groups=5 does not divide the 16 channels of method.width; 2, 4, 8",
        ),
        (["method.norm=instance"], "needs positions"),
        (
            ["dataset.batch_size=2", "trainer.accumulate=2"],
            "dataset.batch_size=2 in 2 parts (trainer.accumulate",
        ),
        (
            ["method=groupnorm", "method.norm=batch", "dataset.batch_size=1"],
            "of two images or more, and dataset",
        ),
        (
            ["method.norm=layer", "method.hidden=[1]"],
            "takes no batches of 60 images of (1, 8, 8), as dataset.batch",
        ),
        (["dataset.classes=[3]"], "two classes or more; digits has only '3'"),
        (["dataset.batch_size=1"], "dataset.batch_size=1 leaves one, (1, 1, 8, 8)"),
        (["method.milestones=[0.6,0.3]"], "ascending order"),
    ],
)
def test_bad_input_is_a_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["method=batchnorm", "trainer.steps=2", *words, f"outputs={tmp_path}"]) == 2
    errors = capsys.readouterr().err
    assert said in errors, errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("method", "probe"),
    [("batchnorm", "ics_every"), ("batchnorm", "quantiles_every"), ("groupnorm", "percentiles_every")],
)
def test_a_run_with_a_probe_is_evaluated_on_other_batches_and_fewer_images(
    method: str, probe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"method={method}", "dataset=digits", "dataset.limit=64", "dataset.batch_size=16", "threads=1"]
    words += [f"method.{probe}=2", "trainer.steps=null", "trainer.epochs=2", f"outputs={tmp_path / 'a'}"]
    assert cli.main(words) == 0
    (place,) = (tmp_path / "a").glob("*/*")
    for number, word in enumerate(("dataset.batch_size=4", "dataset.limit=20")):
        more = ["task=evaluate", f"checkpoint={place}", word, f"outputs={tmp_path / str(number)}"]
        assert cli.main(more) == 0, capsys.readouterr().err
    words = ["task=evaluate", f"checkpoint={place}", f"method.{probe}=3", f"outputs={tmp_path / 'b'}"]
    assert cli.main(words) == 2
