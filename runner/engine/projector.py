"""Embeddings for TensorBoard's projector: files below `projector/`, and the list of them that it reads."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from runner.api import Projection
from runner.atomic import write_bytes

FOLDER = "projector"
CONFIG = "projector_config.pbtxt"
VECTORS, NAMES, SPRITE = "vectors.tsv", "metadata.tsv", "sprite.png"

MOST = 8192
"""Pixels on a side of the sheet of pictures that browsers take."""

Files = dict[str, bytes]


def files_of(projection: Projection) -> Files:
    """The projection as files by name; raises ValueError where its parts are of unlike lengths."""
    vectors = _array(projection.vectors)
    if vectors.ndim != 2 or len(projection.names) != len(vectors):
        raise ValueError(f"{len(projection.names)} names do not go with vectors of shape {vectors.shape}")
    rows = "\n".join("\t".join(f"{value:.6g}" for value in row) for row in vectors)
    names = "\n".join(" ".join(name.split()) for name in projection.names)
    files = {VECTORS: f"{rows}\n".encode(), NAMES: f"{names}\n".encode()}
    if projection.images is not None:
        images = _array(projection.images)
        if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(vectors):
            raise ValueError(f"images are uint8 [{len(vectors)}, C, H, W], not {images.dtype} {images.shape}")
        side = math.ceil(math.sqrt(len(images)))
        if side * max(images.shape[2:]) <= MOST:
            files[SPRITE] = _sheet(images, side)
    return files


def _array(value: object) -> np.ndarray:
    return np.asarray(value.cpu() if hasattr(value, "cpu") else value)


def _sheet(images: np.ndarray, side: int) -> bytes:
    """All images, row by row, in a square of `side` by `side`."""
    count, channels, height, width = images.shape
    sheet = np.zeros((side * side, height, width, 3), np.uint8)
    sheet[:count] = images.transpose(0, 2, 3, 1) if channels == 3 else images[:, 0, :, :, None]
    rows = sheet.reshape(side, side, height, width, 3).transpose(0, 2, 1, 3, 4)
    out = io.BytesIO()
    Image.fromarray(rows.reshape(side * height, side * width, 3)).save(out, format="PNG")
    return out.getvalue()


def keep(folder: Path, name: str, files: Files) -> None:
    """Writes a projection into a run's folder, in the place of an earlier one of its name."""
    place = folder / FOLDER / name
    place.mkdir(parents=True, exist_ok=True)
    for file in (VECTORS, NAMES, SPRITE):
        if file in files:
            write_bytes(place / file, files[file])
        else:
            (place / file).unlink(missing_ok=True)
    write_bytes(folder / CONFIG, _listed(folder).encode())


def kept(folder: Path) -> dict[str, Files]:
    """The projections in a folder, by name."""
    places = sorted(path for path in (folder / FOLDER).glob("*") if (path / VECTORS).is_file())
    return {
        place.name: {path.name: path.read_bytes() for path in sorted(place.iterdir())} for place in places
    }


def _listed(folder: Path) -> str:
    """What TensorBoard reads: one entry for each projection, with paths relative to the folder."""
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    config = ProjectorConfig()
    for name, files in kept(folder).items():
        entry = config.embeddings.add(
            tensor_name=name,
            tensor_path=f"{FOLDER}/{name}/{VECTORS}",
            metadata_path=f"{FOLDER}/{name}/{NAMES}",
        )
        if SPRITE in files:
            entry.sprite.image_path = f"{FOLDER}/{name}/{SPRITE}"
            width, height = Image.open(io.BytesIO(files[SPRITE])).size
            side = math.ceil(math.sqrt(files[NAMES].count(b"\n")))
            entry.sprite.single_image_dim.extend((width // side, height // side))
    return str(config)
