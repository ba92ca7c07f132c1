"""Embeddings as TensorBoard's own plugin reads them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format  # type: ignore[import-untyped]
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.plugins.projector.projector_plugin import _read_tensor_tsv_file

from runner.api import Projection
from runner.engine.evaluation import Evaluator
from runner.engine.journal import Curve, Journal, replay
from runner.engine.projector import CONFIG, files_of, kept


def projection(channels: int = 1) -> Projection:
    images = torch.arange(5 * channels * 4 * 6).remainder(256).byte().view(5, channels, 4, 6)
    return Projection(torch.randn(5, 3), ["a", "b\tc", "d", "e", "f\n"], images)


@pytest.mark.parametrize("channels", [1, 3])
def test_tensorboard_reads_vectors_names_and_pictures(channels: int, tmp_path: Path) -> None:
    given = projection(channels)
    journal = Journal(tmp_path)
    journal.picture("space", 7, files_of(given))
    journal.picture("other", 7, files_of(Projection(torch.ones(2, 2), ["x", "y"])))
    config = text_format.Parse((tmp_path / CONFIG).read_text(), ProjectorConfig())
    other, entry = config.embeddings
    assert (other.tensor_name, entry.tensor_name) == ("other", "space")
    assert not other.sprite.image_path
    read = _read_tensor_tsv_file(str(tmp_path / entry.tensor_path))
    np.testing.assert_allclose(read, given.vectors, rtol=1e-5)
    assert (tmp_path / entry.metadata_path).read_text().splitlines() == ["a", "b c", "d", "e", "f"]
    assert list(entry.sprite.single_image_dim) == [6, 4]
    sheet = np.asarray(Image.open(tmp_path / entry.sprite.image_path))
    assert sheet.shape == (12, 18, 3)
    fourth = sheet[4:8, 0:6]
    assert np.array_equal(fourth.transpose(2, 0, 1)[:channels], given.images[3])
    assert not sheet[4:, 12:].any()
    again = Projection(torch.zeros(1, 3), ["only"])
    journal.picture("space", 9, files_of(again))
    entry = text_format.Parse((tmp_path / CONFIG).read_text(), ProjectorConfig()).embeddings[1]
    assert not entry.sprite.image_path
    assert (tmp_path / entry.metadata_path).read_text() == "only\n"


def test_a_shared_stages_embeddings_are_replayed(tmp_path: Path) -> None:
    for name in ("first", "stage", "second"):
        (tmp_path / name).mkdir()
    first, second = (Journal(tmp_path / name) for name in ("first", "second"))
    curve = Curve(tmp_path / "stage", first, {}, "fewshot/")
    curve.picture("space", 3, files_of(projection()), "fewshot/")
    replay(tmp_path / "stage", second, "fewshot/")
    assert kept(tmp_path / "second") == kept(tmp_path / "first")
    assert kept(tmp_path / "second").keys() == {"fewshot-space"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Projection(torch.ones(2, 3), ["a"]), "1 names do not go with vectors of shape"),
        (Projection(torch.ones(2), ["a", "b"]), "do not go with vectors of shape"),
        (Projection(torch.ones(1, 2), ["a"], torch.ones(1, 1, 2, 2)), "images are uint8"),
        (Projection(torch.ones(1, 2), ["a"], torch.ones(2, 1, 2, 2).byte()), "images are uint8"),
    ],
)
def test_parts_that_do_not_fit_are_refused(given: Projection, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        files_of(given)


def test_a_sheet_that_is_too_large_is_left_out() -> None:
    given = Projection(torch.ones(5, 2), list("abcde"), torch.zeros(5, 1, 3000, 3, dtype=torch.uint8))
    assert files_of(given).keys() == {"vectors.tsv", "metadata.tsv"}
    whole = Projection(torch.ones(5, 2), list("abcde"), torch.zeros(5, 1, 30, 3, dtype=torch.uint8))
    assert Image.open(io.BytesIO(files_of(whole)["sprite.png"])).size == (9, 90)


def test_the_evaluator_hands_on_what_a_stage_draws() -> None:
    class Drawing:
        name, tracked = "drawing", {}

        def figures(self) -> dict[str, object]:
            return {"space": projection(), "flat": np.zeros((2, 2), np.uint8)}

    import runner.engine.evaluation as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TrainStage", Drawing)
        found = Evaluator(Drawing(), 0, None, lambda: None).figures()  # type: ignore[arg-type]
    assert isinstance(found["space"], dict)
    assert found["flat"][:4] == b"\x89PNG"  # type: ignore[index]
