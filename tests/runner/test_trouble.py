"""What a run's folder can suffer between two commands; each is a sentence, and nothing is lost by it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from runner import cli

SMALL = ["method=realnvp", "dataset=digits", "debug=fast", "threads=1", "method.width=4", "trainer.steps=6"]
Trouble = Callable[[Path], Any]


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def the_only(outputs: Path) -> Path:
    (folder,) = outputs.glob("*/*")
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with settings of its own."""
    place = tmp_path_factory.mktemp("finished")
    assert cli.main([*SMALL, "method.logit=paper", f"outputs={place}"]) == 0
    return the_only(place)


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it that may be hurt."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def change(path: Path, alter: Callable[[dict[str, Any]], Any]) -> None:
    """Saves what `alter` makes of a checkpoint's content."""
    content = torch.load(path, weights_only=True)
    torch.save(alter(content), path)


def both(alter: Callable[[dict[str, Any]], Any]) -> Trouble:
    def hurt(folder: Path) -> None:
        for name in ("best.pt", "last.pt"):
            change(folder / "checkpoints" / name, alter)

    return hurt


def written(name: str, text: str | bytes) -> Trouble:
    data = text if isinstance(text, bytes) else text.encode()
    return lambda folder: (folder / name).write_bytes(data)


def cut(folder: Path) -> None:
    for name in ("best.pt", "last.pt"):
        path = folder / "checkpoints" / name
        path.write_bytes(path.read_bytes()[:5000])


def weights_gone(content: dict[str, Any]) -> dict[str, Any]:
    for tensor in content["tracked"]["flow"].values():
        tensor.mul_(float("nan"))
    return content


EVALUATED: dict[str, tuple[Trouble, str, int]] = {
    "a list": (both(lambda content: [1]), "holds a list", 2),
    "other content": (both(lambda content: {"a": 1}), "no checkpoint of a training", 2),
    "another state": (
        both(lambda c: {**c, "state": {**c["state"], "x": 1}}), "no checkpoint of a training", 2,
    ),
    "no optimiser": (
        both(lambda c: {**c, "tracked": {**c["tracked"], "optimizer": {"a": 1}}}), "does not fit", 2,
    ),
    "cut": (cut, "no checkpoint that can be read", 2),
    "no numbers": (both(weights_gone), "not finite", 1),
    "a ledger that is none": (written("progress.json", "[]"), "progress.json is damaged", 2),
    "a torn ledger": (written("progress.json", "{"), "progress.json is damaged", 2),
    "an unknown field": (
        written("progress.json", '{"stages": {"density": {"x": 1}}}'), "progress.json is damaged", 2,
    ),
    "a binary configuration": (written("config.yaml", b"\xff\xfe\x00"), "config.yaml is damaged", 2),
    "overrides that are none": (written(".hydra/overrides.yaml", "3"), "is damaged", 2),
}  # fmt: skip


@pytest.mark.parametrize("name", EVALUATED)
def test_a_damaged_run_is_not_evaluated(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hurt, words, code = EVALUATED[name]
    hurt(folder)
    assert cli.main(["task=evaluate", f"checkpoint={folder}", f"outputs={tmp_path}/out"]) == code
    errors = capsys.readouterr().err
    assert words in errors
    assert errors.count("\n") == 1, errors


def test_torchs_advice_to_run_what_a_file_says_is_not_passed_on(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = folder / "checkpoints" / "samples.png"
    picture.write_bytes(next((folder / "figures").glob("*.png")).read_bytes())
    assert cli.main(["task=evaluate", f"checkpoint={picture}", f"outputs={tmp_path}/out"]) == 2
    errors = capsys.readouterr().err
    assert "no checkpoint that can be read" in errors
    assert "weights_only" not in errors


def test_a_checkpoint_can_be_named_from_its_own_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "checkpoints")
    assert cli.main(["task=evaluate", "checkpoint=best.pt", f"outputs={tmp_path}/out"]) == 0
    assert result(the_only(tmp_path / "out"))["metrics"] == result(folder)["metrics"]


def test_a_file_outside_of_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.pt").write_bytes(b"")
    assert cli.main(["task=evaluate", f"checkpoint={tmp_path}/x.pt"]) == 2
    assert "no file in the folder checkpoints" in capsys.readouterr().err


def test_averages_that_a_checkpoint_does_not_hold_are_not_made_up(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["task=evaluate", f"checkpoint={folder}", "trainer.ema=0.9", f"outputs={tmp_path}/out"]
    assert cli.main(words) == 2
    assert "without averaged weights" in capsys.readouterr().err


def test_a_sweep_over_a_finished_run_keeps_its_settings(folder: Path, tmp_path: Path) -> None:
    words = ["-m", "task=evaluate", f"checkpoint={folder}", "method.eval_seed=0,1", f"outputs={tmp_path}/out"]
    assert cli.main(words) == 0
    found = {path.parent.name: result(path.parent) for path in (tmp_path / "out").rglob("result.json")}
    assert len(found) == 2
    assert found["method.eval_seed=0"]["metrics"] == result(folder)["metrics"]
    assert found["method.eval_seed=1"]["metrics"] != result(folder)["metrics"]
    for path in (tmp_path / "out").rglob("config.yaml"):
        if path.parent.name != ".hydra":
            assert yaml.safe_load(path.read_text())["method"]["logit"] == "paper"


def stopped(folder: Path) -> None:
    """Makes of a finished run one that was killed before its end."""
    (folder / "result.json").unlink()


def test_a_lost_event_file_does_not_keep_a_run_from_going_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = result(folder)["metrics"]
    stopped(folder)
    (folder / "progress.json").unlink()
    for path in folder.glob("events.out*"):
        path.unlink()
    assert cli.main(["resume", str(folder)]) == 0
    assert result(folder)["metrics"] == before
    assert "event file was lost" in capsys.readouterr().out


def test_a_log_that_was_cut_is_a_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stopped(folder)
    (folder / "progress.json").unlink()
    (folder / "metrics.jsonl").write_text("")
    assert cli.main(["resume", str(folder)]) == 2
    errors = capsys.readouterr().err
    assert "metrics.jsonl is shorter" in errors
    assert errors.count("\n") == 1


def test_a_lost_best_checkpoint_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stopped(folder)
    (folder / "progress.json").unlink()
    (folder / "checkpoints" / "best.pt").unlink()
    assert cli.main(["resume", str(folder)]) == 0
    assert "best.pt is gone" in capsys.readouterr().out


def test_words_after_a_completed_run_are_checked_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["resume", str(folder), "method.lr=4"]) == 2
    assert "cannot be changed" in capsys.readouterr().err


def command(*words: str) -> str:
    return " ".join([f"{sys.executable} -m runner", *words])


def test_settings_that_do_not_fit_the_weights_are_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["task=evaluate", f"checkpoint={folder}", "method.width=8", f"outputs={tmp_path / 'out'}"]
    assert cli.main(words) == 2
    assert "method.width was changed, and the checkpoint's" in capsys.readouterr().err


def test_a_folder_of_runs_is_no_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["resume", str(folder.parent)]) == 2
    assert f"is no run and no sweep; name one that it holds, such as {folder}" in capsys.readouterr().err


def test_a_root_of_data_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shared").mkdir()
    assert cli.main(["dataset=mnist", f"data.root={tmp_path / 'share'}", f"outputs={tmp_path}"]) == 2
    said = f"data.root={tmp_path / 'share'}: there is no such folder; did you mean shared?"
    assert said in capsys.readouterr().err


def put(*keys: str, value: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Sets one value deep in a checkpoint."""

    def alter(content: dict[str, Any]) -> dict[str, Any]:
        node = content
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = value
        return content

    return alter


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["state", "step"], 1e9), (["state", "step"], "x"), (["state", "step"], -5), (["state"], None),
        (["state", "finished"], 1), (["state", "best"], "low"), (["window"], {"a": 3}),
        (["journal"], {"metrics": "z"}), (["journal"], None), (["journal", "metrics"], -3),
    ],
)  # fmt: skip
def test_an_edited_checkpoint_is_refused(
    folder: Path, tmp_path: Path, keys: list[str], value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    both(put(*keys, value=value))(folder)
    assert cli.main(["task=evaluate", f"checkpoint={folder}", f"outputs={tmp_path}"]) == 2
    assert "is no checkpoint of a training of this version" in capsys.readouterr().err


def test_a_checkpoint_of_another_stage_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both(put("stage", value="other"))(folder)
    assert cli.main(["task=evaluate", f"checkpoint={folder}", f"outputs={tmp_path}"]) == 2
    assert "the checkpoint is of stage other, not of density" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["evil", "FOLDER/evil"])
def test_a_runs_folder_brings_no_code_along(
    folder: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "evil" / "method").mkdir(parents=True)
    (folder / "evil" / "method" / "__init__.py").write_text("raise SystemExit('run')\n")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["methods"]["path"] = [where.replace("FOLDER", str(folder))]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "result.json").unlink()
    assert cli.main(["resume", str(folder)]) == 2
    assert "is not where a method of yours would lie" in capsys.readouterr().err


@pytest.mark.parametrize("sweep", [False, True])
def test_a_lost_reader_costs_no_run(sweep: bool, tmp_path: Path) -> None:
    words = ["-m", *SMALL, "seed=1,2"] if sweep else SMALL
    line = f"set -o pipefail; {command(*words, f'outputs={tmp_path}/out')} | head -1"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(["bash", "-c", line], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("result.json")]
    assert [one["status"] for one in found] == ["completed"] * (2 if sweep else 1)


def test_names_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    line = command(*SMALL, "trainer.steps=2", f"outputs={tmp_path}/ü")
    root = Path(__file__).resolve().parents[2]
    odd = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(["bash", "-c", line], cwd=root, env=odd, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


def test_a_full_device_for_the_output_is_one_line() -> None:
    line = f"{command('list')} > /dev/full"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(["bash", "-c", line], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "space" in done.stderr
