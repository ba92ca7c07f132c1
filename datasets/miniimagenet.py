"""miniImageNet: 100 of ImageNet's classes, 600 images each (Vinyals et al., NeurIPS 2016), in the split of
Ravi and Larochelle (ICLR 2017), from files that a person has laid out."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

from datasets.by_hand import decoded, parted, refuse_outside, state
from datasets.config import EpisodesConfig
from datasets.few_shot import Drawn, build
from datasets.files import damaged, folders
from datasets.types import Access, DataError, Episodes

LISTS = {"train": "train.csv", "validation": "val.csv", "test": "test.csv"}
PAGE = "https://github.com/twitter-archive/meta-learning-lstm/tree/master/data/miniImagenet"

Rows = list[tuple[str, str]]
"""File and class of each image."""


def load(config: EpisodesConfig, access: Access, kind: str) -> Episodes:
    """Natural images; classes are parted as the CSV files say, unless lists of classes are given.

    Raises `DataError` where a file is not there, or an image or a class is in the lists twice.
    """
    home = _home(access)
    parts = {part: _rows(home / file) for part, file in LISTS.items()}
    config = parted(config, *(sorted({label for _, label in rows}) for rows in parts.values()))
    rows = sorted((label, file) for part in parts.values() for file, label in part)
    files = [file for _, file in rows]
    if twice := [file for file, count in Counter(files).items() if count > 1]:
        raise DataError(f"{home}: its lists {', '.join(LISTS.values())} name {twice[0]} more than once")
    images = decoded("miniimagenet", home, files, config.size, access)
    places: dict[str, list[int]] = defaultdict(list)
    for place, (label, _) in enumerate(rows):
        places[label].append(place)
    drawn = [Drawn(label, label, images[at[0] : at[-1] + 1]) for label, at in places.items()]
    return build("miniimagenet", config, drawn, {"images": state(home, files)})


def _home(access: Access) -> Path:
    homes = folders("miniimagenet", access)
    wanted = [*LISTS.values(), "images"]
    for home in homes:
        missing = [name for name in wanted if not (home / name).exists()]
        if not missing:
            return home
        if len(missing) < len(wanted):
            raise DataError(f"{home} has no {missing[0]}; miniimagenet needs {', '.join(wanted)}")
    place, where = (homes[0], "") if access.root else (Path("DIR/miniimagenet"), ", for data.root=DIR")
    raise DataError(
        f"miniimagenet is not here: its lists are from {PAGE} and its images from ImageNet; they belong into "
        f"{place}/{{train,val,test}}.csv and {place}/images/*.jpg{where}"
    )


def _rows(path: Path) -> Rows:
    """The rows of a list `filename,label`."""
    with damaged(path), path.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        if not {"filename", "label"} <= set(table.fieldnames or ()):
            raise ValueError("its first line is not filename,label")
        rows = [(row["filename"], row["label"]) for row in table]
        if not all(file and label for file, label in rows):
            raise ValueError("a line has no file or no label")
    refuse_outside(path, [file for file, _ in rows])
    return rows
