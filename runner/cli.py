"""The command: `run key=value ...`, and the verbs. Nothing heavy is imported before it is known to be
needed."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from runner.errors import DISK_TROUBLE, ConfigError, nearest, os_sentence
from runner.world import follows

VERBS = {
    "list": ("runner.verbs.list", "methods, data sets, presets and experiments"),
    "compare": ("runner.compare", "finished runs side by side: table, picture, page"),
    "claim": ("runner.claim.command", "re-test what a paper claims, and say whether it holds"),
    "resume": ("runner.verbs.resume", "go on with a run or a sweep that was stopped or killed"),
    "data": ("runner.verbs.data", "fetch or verify a data set"),
}
PATHS = ("checkpoint", "outputs", "data.root", "data.mirror", "data.cache", "dataset.path")
ODD = r".*[=~()#&;!^<>`\x80-\U0010ffff]"
FUNCTION = re.compile(
    r"(choice|range|interval|glob|sort|shuffle|tag|extend_list|str|int|float|bool|json_str)\("
)
HELP = """\
run - run the paper, re-test the claim

  run method=NAME [dataset=NAME] [key=value ...]     train, evaluate, write a folder with everything
  run -m method=NAME key=a,b seed=1,2,3              one run for each combination, then a table
  run -m sweeper=optuna method=NAME 'key=interval(0,1)'   a search
  run task=evaluate checkpoint=DIR [key=value ...]   look again at a finished run

  run list                    methods, data sets, presets and experiments, with their tasks
  run compare DIR...          finished runs side by side: table, picture, page
  run claim NAME|GLOB         re-test what a paper claims; run claim list shows the claims
  run resume DIR              go on with a run or a sweep that was stopped or killed
  run data fetch|verify NAME  get a data set, or check its files

Often used: seed=0 device=auto|cpu|cuda precision=fp32|bf16|fp16 threads=N outputs=DIR data.root=DIR
            trainer.steps=N trainer.eval_every=N dataset.batch_size=N method.lr=X debug=fast experiment=NAME
With -m:    launcher=local|process|slurm launcher.jobs=N launcher.timeout_minutes=X sweep.retries=N

  --cfg                       print the configuration that the words compose (with -m: the jobs), and stop
  -m, --multirun              sweep over values separated by commas
  --config-dir DIR            a folder with YAML of your own (DIR/experiment/NAME.yaml, ...)
  -sc install=bash            shell completion: eval "$(run -sc install=bash)"
  -h, --help   --version

The YAML files in conf/ are the manual: every key with its meaning and range.
Exit codes: 0 done, 1 a run failed, 2 wrong input, 130 or 143 stopped by a signal after saving.
"""


@dataclass
class Words:
    """A command line, sorted."""

    overrides: list[str] = field(default_factory=list)
    config_dirs: list[Path] = field(default_factory=list)
    multirun: bool = False
    show: bool = False


def sort_words(argv: Sequence[str]) -> Words:
    """Flags and overrides of the main verb; raises `ConfigError` for what is neither."""
    words, rest = Words(), list(argv)
    while rest:
        word = rest.pop(0)
        flag, _, value = word.partition("=")
        if word in ("-m", "--multirun"):
            words.multirun = True
        elif word in ("--cfg", "-c"):
            words.show = True
            if rest and rest[0] in ("job", "all", "hydra"):
                rest.pop(0)
        elif flag in ("--config-dir", "-cd"):
            if not value and not rest:
                raise ConfigError(f"{flag} needs a folder")
            words.config_dirs.append(Path(value or rest.pop(0)))
        elif word.startswith("-"):
            raise ConfigError(
                f"{word} is not an option{nearest(flag, ['--multirun', '--cfg', '--config-dir', '--help'])}"
            )
        elif "=" not in word and not word.startswith("~"):
            raise ConfigError(f"{word!r} is neither a verb nor key=value{nearest(word, VERBS)}")
        else:
            words.overrides.append(word)
    words.overrides = [quoted(word, words.multirun) for word in words.overrides]
    return words


def quoted(word: str, multirun: bool = False) -> str:
    """`key=value` quoted for Hydra where the value is a path, or holds what Hydra does not read by itself:
    `=`, as the folders of a sweep's jobs do, letters beyond ASCII, `~` and the like.

    In a sweep commas separate values; elsewhere they belong to the value.
    """
    key, _, value = word.partition("=")
    if re.search(r"['\"$]|^[\[{]", value) or FUNCTION.match(value) or value in ("", "null"):
        return word
    parts = value.split(",") if multirun else [value]
    odd = re.compile(".*" if key in PATHS and not multirun else ODD)
    return f"{key}=" + ",".join(f'"{part}"' if odd.match(part) else part for part in parts)


def main(argv: Sequence[str] | None = None) -> int:
    """The console script; returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    own_first()
    if follows():
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot show is no fault
            stream.reconfigure(errors="backslashreplace")
    try:
        code = dispatch(argv)
        sys.stdout.flush()
        return code
    except ConfigError as error:
        if os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if not isinstance(error, BrokenPipeError) and error.errno not in DISK_TROUBLE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at the end
        if isinstance(error, BrokenPipeError):
            return 0
        print(f"error: {os_sentence(error)}", file=sys.stderr)
        return 2


def own_first() -> None:
    """Puts the project's folder first on the path, before any other package called `datasets`."""
    root = str(Path(__file__).resolve().parents[1])
    if sys.path[:1] != [root]:
        sys.path.insert(0, root)


def dispatch(argv: list[str]) -> int:
    """Runs the verb that the words begin with, or the main one."""
    if argv and argv[0] in VERBS:
        verb: Callable[[list[str]], int] = import_module(VERBS[argv[0]][0]).main
        return verb(argv[1:])
    if not argv or any(word in ("-h", "--help") for word in argv):
        print(HELP, end="")
        return 0
    if "--version" in argv:
        from importlib.metadata import version

        print(f"reclaim {version('reclaim')}")
        return 0
    if argv[0] in ("-sc", "--shell-completion"):
        from runner.verbs.complete import complete

        return complete(argv)
    return run(sort_words(argv), argv)


def run(words: Words, argv: Sequence[str]) -> int:
    """The main verb: composes and checks, and only then imports torch."""
    from runner.compose import Composer
    from runner.verbs.evaluate import from_checkpoint

    composer = Composer(words.overrides, words.config_dirs)
    if words.multirun:
        from runner.sweep.command import sweep

        return sweep(composer, words.show)
    _refuse_how(composer.words)
    composed = from_checkpoint(composer) or composer.compose()
    if words.show:
        import yaml

        print(yaml.safe_dump({"choices": composed.choices, **composed.config}, sort_keys=False), end="")
        return 0
    from runner.start import start

    return start(composed, argv)


def _refuse_how(words: Sequence[str]) -> None:
    """Words about the jobs of a sweep mean nothing for a single run."""
    from runner.settings import HOW

    for word in words:
        if word.lstrip("+").startswith(tuple(f"{node}{end}" for node in HOW for end in ("=", "."))):
            raise ConfigError(f"{word} is about the jobs of a sweep: add -m (a single job can be one, too)")


if __name__ == "__main__":
    sys.exit(main())
