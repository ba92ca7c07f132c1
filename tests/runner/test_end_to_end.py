"""Each verb through the installed command, on the embedded data."""

from __future__ import annotations

import json
import math
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from runner import order
from tests.runner.conftest import Run

SMALL = ["method=realnvp", "dataset=digits", "debug=fast", "threads=1"]
KEYS = {
    "status", "error", "method", "dataset", "task", "seed", "overrides", "metrics", "steps", "seconds",
    "resumed", "peak_memory_mb", "parameters", "device", "precision", "threads", "versions", "numerics",
    "git", "data",
}  # fmt: skip


def only_folder(outputs: Path) -> Path:
    (folder,) = [path.parent for path in outputs.rglob("result.json")]
    return folder


@pytest.fixture(scope="module")
def finished(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a finished short run, and what it printed."""
    place = tmp_path_factory.mktemp("finished")
    done = run(*SMALL, "outputs=out", cwd=place)
    assert done.returncode == 0, done.stderr
    return only_folder(place / "out"), done.stdout


def test_a_run_leaves_everything_that_it_should(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    assert folder.parent.name == "realnvp-digits"
    assert {
        "config.yaml",
        "run.log",
        "metrics.jsonl",
        "result.json",
        "checkpoints",
        "figures",
        ".hydra",
    } <= set(os.listdir(folder))
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.pt", "last.pt"}
    result = json.loads((folder / "result.json").read_text())
    assert set(result) == KEYS
    assert result["status"] == "completed"
    assert result["error"] is None
    assert result["steps"] == 20
    assert result["threads"] == 1
    assert result["parameters"] > 1000
    assert result["data"]["checksum"]
    assert 0 < result["metrics"]["test/bits_per_dim"] < 8
    assert all(isinstance(v, float) and math.isfinite(v) for v in result["metrics"].values())
    assert result["metrics"]["test/bits_per_dim_uniform"] == pytest.approx(math.log2(17))
    for path in (folder / "figures").glob("*.png"):
        assert len(Image.open(path).convert("L").getcolors(1 << 20) or []) > 2, f"{path.name} is blank"


def test_the_log_and_tensorboard_agree(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    events = list(folder.glob("events.out.tfevents.*"))
    assert len(events) == 1
    accumulator = EventAccumulator(str(events[0]), size_guidance={"scalars": 0, "images": 0}).Reload()
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    written = {
        (name, line["step"]): v for line in lines for name, v in line.items() if name not in ("stage", "step")
    }
    for (name, step), value in written.items():
        points = {event.step: event.value for event in accumulator.Scalars(name)}
        assert points[step] == pytest.approx(value, rel=1e-6)
    assert not any(name.startswith("time") for name, _ in written)
    assert "samples" in accumulator.Tags()["images"]
    assert [line["step"] for line in lines if "train/loss" in line] == [5, 10, 15, 20]


def test_what_it_prints(finished: tuple[Path, str]) -> None:
    folder, printed = finished
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assert f"realnvp on digits: {device}, fp32, 1 thread, seed 0" in printed
    assert "test/bits_per_dim_histogram" in printed
    assert f"tensorboard --logdir {folder.relative_to(folder.parents[2])}" in printed
    assert "\r" not in printed
    assert printed.count("train/loss") == 4
    (look,) = (line for line in printed.splitlines() if " 20/20  validation/" in line)
    names = [word for word in look.split() if word.startswith("validation/")]
    assert names == sorted(names, key=order.metric)


def test_the_configuration_repeats_the_run(finished: tuple[Path, str], run: Run, tmp_path: Path) -> None:
    folder, _ = finished
    words = yaml.safe_load((folder / ".hydra" / "overrides.yaml").read_text())
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = only_folder(tmp_path / "out")
    assert (again / "metrics.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()
    assert (
        json.loads((again / "result.json").read_text())["metrics"]
        == json.loads((folder / "result.json").read_text())["metrics"]
    )


def test_evaluate_finds_the_same_numbers(finished: tuple[Path, str], run: Run, tmp_path: Path) -> None:
    folder, _ = finished
    done = run("task=evaluate", f"checkpoint={folder}", f"outputs={tmp_path}")
    assert done.returncode == 0, done.stderr
    result = json.loads((only_folder(tmp_path) / "result.json").read_text())
    assert result["task"] == "evaluate"
    assert result["metrics"] == json.loads((folder / "result.json").read_text())["metrics"]


def test_more_samples_of_a_finished_run(finished: tuple[Path, str], run: Run, tmp_path: Path) -> None:
    folder, _ = finished
    done = run("task=sample", f"checkpoint={folder}", "method.samples=9", f"outputs={tmp_path}")
    assert done.returncode == 0, done.stderr
    made = only_folder(tmp_path)
    samples = numpy.load(made / "figures" / "samples.npy", allow_pickle=False)
    assert samples.shape == (9, 1, 8, 8)
    assert samples.dtype == numpy.uint8
    assert samples.max() < 17
    assert len(numpy.unique(samples.reshape(9, -1), axis=0)) == 9
    with Image.open(made / "figures" / "samples.png") as image:
        assert image.size == (3 * 65 + 1, 3 * 65 + 1)
    assert 0 <= json.loads((made / "result.json").read_text())["metrics"]["sample/clipped"] <= 1


def test_resume_of_a_completed_run_changes_nothing(finished: tuple[Path, str], run: Run) -> None:
    folder, _ = finished
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    done = run("resume", str(folder))
    assert done.returncode == 0
    assert "completed" in done.stdout
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_sweep_survives_a_failing_job(run: Run, tmp_path: Path) -> None:
    done = run("-m", *SMALL, "method.n_scale=2,9", "seed=1,2", "trainer.steps=3", "outputs=out", cwd=tmp_path)
    assert done.returncode == 1
    (sweep,) = (tmp_path / "out" / "sweeps").iterdir()
    names = {path.name for path in sweep.iterdir() if path.is_dir()}
    assert names == {f"method.n_scale={n},seed={s}" for n in (2, 9) for s in (1, 2)}
    table = [line for line in done.stdout.splitlines() if line.startswith("method.n_scale=")]
    assert len(table) == 4
    assert [("completed" in line, "failed" in line) for line in table] == [(True, False)] * 2 + [
        (False, True)
    ] * 2
    assert all("n_scale=9 needs" in line for line in table[2:])
    for name in names:
        result = json.loads((sweep / name / "result.json").read_text())
        assert result["status"] == ("failed" if "=9," in name else "completed")
        assert (result["error"] is None) == ("=9," not in name)
        log = (sweep / name / "run.log").read_text()
        assert ("n_scale=9 needs" in log) == ("=9," in name)


def test_a_sweep_with_a_wrong_value_does_not_begin(run: Run, tmp_path: Path) -> None:
    done = run("-m", *SMALL, "method.lr=1e-3,-1", cwd=tmp_path)
    assert done.returncode == 2
    assert "method.lr=-1" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_does_not_fit_its_data_is_wrong_input(run: Run, tmp_path: Path) -> None:
    done = run(*SMALL, "method.n_scale=5", cwd=tmp_path)
    assert done.returncode == 2
    assert "method.n_scale=5" in done.stderr
    assert done.stderr.count("\n") == 1
    result = json.loads((only_folder(tmp_path) / "result.json").read_text())
    assert result["status"] == "failed"
    assert "n_scale" in result["error"]


def test_missing_data_is_one_line_and_leaves_no_folder(run: Run, tmp_path: Path) -> None:
    done = run(
        "method=realnvp", "dataset=cifar10", "data.download=false", f"data.cache={tmp_path}/c", cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    for word in ("cifar-10-binary.tar.gz", "https://", "md5:c32a1d4ab5d03f1284b67883e8d87530", str(tmp_path)):
        assert word in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_cuda_without_cuda(run: Run, tmp_path: Path) -> None:
    done = run(*SMALL, "device=cuda", cwd=tmp_path, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 2
    assert "device=cuda" in done.stderr
    assert "device=cpu" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["file", "missing parent that is a file"])
def test_unwritable_outputs(kind: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    place = "taken" if kind == "file" else "taken/below"
    done = run(*SMALL, f"outputs={place}", cwd=tmp_path)
    assert done.returncode == 2
    assert "outputs=" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_full_disk_is_one_line(tmp_path: Path, environment: dict[str, str]) -> None:
    """A limit on the size of files, set in the child, is as near to a full disk as a test can come."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        f"from runner.cli import main; sys.exit(main({[*SMALL, 'outputs=out']!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "large" in done.stderr or "space" in done.stderr
    result = json.loads((only_folder(tmp_path / "out") / "result.json").read_text())
    assert result["status"] == "failed"


def test_the_other_names_are_the_same_command(environment: dict[str, str], tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    for command in ([str(Path(sys.executable).parent / "reclaim")], [sys.executable, "-m", "runner"]):
        done = subprocess.run(
            [*command, "--version"], cwd=root, env=environment, capture_output=True, text=True
        )
        assert done.stdout.startswith("reclaim ")
    mode = (Path(sys.executable).parent / "run").stat().st_mode
    assert mode & stat.S_IXUSR


def test_list_shows_what_can_be_chosen(run: Run) -> None:
    done = run("list")
    for word in (
        "method=realnvp",
        "dataset=digits",
        "preset=realnvp/cifar10",
        "experiment=realnvp/",
        "debug=fast",
    ):
        assert word in done.stdout
    assert "tasks: train, evaluate" in done.stdout
