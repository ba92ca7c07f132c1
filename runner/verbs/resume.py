"""`run resume DIR`: goes on with a run that was stopped or killed, or with a sweep."""

from __future__ import annotations

from pathlib import Path

from omegaconf import OmegaConf

from runner import folder
from runner.cli import quoted
from runner.compose import Composed, checked, parse
from runner.errors import ConfigError
from runner.registry import Registry
from runner.sweep.plan import is_sweep

HELP = """\
run resume DIR [data.root=DIR ...]

Goes on with the run in DIR from its last checkpoint. A completed run is left as it is.
Where data lies and how many workers decode it may be changed (data.*); nothing else may.

Where DIR is the folder of a sweep, runs those of its jobs that are missing, failed or were interrupted; how
they are run may be changed too (launcher=NAME, launcher.*, sweep.*), and how a search goes on (sweeper.*),
such as sweeper.trials=40 for more trials.
"""


PATTERNS = ("*/sweep.json", "*/config.yaml", "*/*/sweep.json", "*/*/config.yaml")


def main(words: list[str]) -> int:
    """The verb; returns the exit code."""
    if not words or words[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0 if words else 2
    if words[0].startswith("-"):
        raise ConfigError(f"run resume {words[0]}: there is no such option; see run resume --help")
    place = Path(words[0]).expanduser()
    if not place.is_dir():
        raise ConfigError(f"run resume {place}: there is no such folder")
    options = [word for word in words[1:] if word.startswith("-")]
    if options:
        raise ConfigError(f"run resume takes no option {options[0]}; see run resume --help")
    folders = [word for word in words[1:] if "=" not in word or Path(word).is_dir()]
    if folders:
        raise ConfigError(f"run resume takes one folder; {folders[0]} is another word")
    if is_sweep(place):
        from runner.sweep.resume import resume

        return resume(place, words[1:])
    _refuse_many(place)
    composed = composed_of(place, words[1:])
    result = folder.read_result(place)
    if result is not None and result["status"] == "completed":
        print(f"{place} is completed; nothing to do")
        return 0
    from runner.start import start

    return start(composed, ["resume", *words], place)


def _refuse_many(place: Path) -> None:
    found = [
        path.parent
        for pattern in PATTERNS
        for path in sorted(place.glob(pattern))
        if not path.parent.name.startswith(".")
    ][:1]
    if found and not (place / folder.CONFIG).is_file():
        raise ConfigError(f"{place} is no run and no sweep; name one that it holds, such as {found[0]}")


def composed_of(place: Path, words: list[str]) -> Composed:
    """The configuration that a run was started with, with `data.*` words on top; raises `ConfigError`."""
    config, choices, overrides = folder.read_config(place)
    merged = OmegaConf.create(config)
    for override in parse([quoted(word) for word in words]):
        key = str(override.key_or_group)
        if not key.startswith("data.") or OmegaConf.select(merged, key, default=words) is words:
            raise ConfigError(
                f"{key} cannot be changed when a run is resumed; only data.root, data.mirror and the like can"
            )
        OmegaConf.update(merged, key, override.value())
    plain = OmegaConf.to_container(merged)
    assert isinstance(plain, dict)
    registry = Registry(tuple(Path(path) for path in config["methods"]["path"]))
    return checked({str(k): v for k, v in plain.items()}, choices, overrides, registry)
