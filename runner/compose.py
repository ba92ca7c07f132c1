"""From the words of a command to a checked configuration; imports Hydra but nothing heavier."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner import schema
from runner.api import CHECK, MethodEntry, Source
from runner.errors import ConfigError, nearest
from runner.registry import CONF, Found, Registry
from runner.settings import GROUPS, HOW, RootSettings, TrainerSettings, flat

OPTIONAL = ("preset", "experiment", "debug")
ALLOWED_HYDRA = ("hydra/launcher", "hydra.launcher.")
PLAIN = re.compile(r"([\w.]+)=(?![\[{]|.*[$(])")
"""A word that sets a key to a single value, which says nothing of other values or of functions."""

OWN_LAUNCHERS = ("auto", "local", "process", "slurm")
HYDRA_PER_RUN = ("runtime", "overrides", "job", "searchpath")
"""Parts of Hydra's own node that differ from run to run by themselves."""


@dataclass(frozen=True)
class Composed:
    """One run's configuration, checked.

    Attributes:
        config: the resolved tree as plain values, as it is written to the run's `config.yaml`.
        choices: the option chosen in each group.
        overrides: the words of the command that made it.
        root: the runner's own settings.
        method, dataset: the entries that were found, with their settings in `method_config` and
            `dataset_config`.
        registry: where they were found.
        how: the nodes `launcher`, `sweeper` and `sweep`, which are no part of a run's own configuration.
    """

    config: dict[str, Any]
    choices: dict[str, str]
    overrides: tuple[str, ...]
    root: RootSettings
    method: Found
    method_config: Any
    dataset: Found
    dataset_config: Any
    registry: Registry
    how: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`<method>-<dataset>`, under which runs are filed."""
        return f"{self.choices['method']}-{self.choices['dataset']}"


def parse(words: Sequence[str]) -> list[Override]:
    """The overrides in `words`; raises `ConfigError` for what is no override or reaches where none may."""
    try:
        overrides: list[Override] = OverridesParser.create().parse_overrides(list(words))
    except (OverrideParseException, HydraException, ValueError) as error:
        raise ConfigError(_not_an_override(words, error)) from None
    for override in overrides:
        _refuse_code(override)
    return overrides


def _not_an_override(words: Sequence[str], error: Exception) -> str:
    word = getattr(error, "override", None) or next(iter(words), "")
    reason = " ".join(str(error).split("\nSee")[0].split())
    return f"{word!r} cannot be read as key=value ({reason}); quote special characters, as in 'key=\"a,b\"'"


def _refuse_code(override: Override) -> None:
    key, text = str(override.key_or_group), str(override.input_line)
    if key == "hydra/sweeper":
        raise ConfigError(f"{text}: sweepers are chosen by sweeper=grid or sweeper=optuna")
    if key.startswith("hydra") and not key.startswith(ALLOWED_HYDRA):
        raise ConfigError(f"{key} cannot be set from outside; outputs=DIR says where runs go")
    if "_target_" in text or re.search(r"(^|[{\[,.:\s])['\"]?\(\)", text):
        raise ConfigError(f"{text}: a configuration cannot name code to call")
    if re.search(r"\$\{[^}$]*:", text):
        raise ConfigError(f"{text}: resolvers such as ${{name:...}} are not available in overrides")


def normalise(overrides: Sequence[Override]) -> list[str]:
    """The overrides as words, with choices such as `debug=nan` and `preset=null` quoted as the names they
    are."""
    return [_normalised(override) for override in overrides]


def _normalised(override: Override) -> str:
    group = str(override.key_or_group)
    line = str(override.input_line)
    if group == "hydra/launcher" and override.value() in OWN_LAUNCHERS:
        return f"launcher={override.value()}"
    if group not in GROUPS or override.is_sweep_override() or isinstance(override.value(), (str, list, dict)):
        return line
    value = line.partition("=")[2].strip()
    if group in OPTIONAL and (override.is_delete() or override.value() is None):
        return f"{group}=none"
    return f"{group}='{value}'"


class Composer:
    """Composes configurations of one command; finds the project's YAML and that of methods from elsewhere."""

    def __init__(self, words: Sequence[str], config_dirs: Sequence[Path] = ()) -> None:
        OmegaConf.clear_resolver("oc.env")  # no file may read the environment
        self.overrides = parse(words)
        self.words = normalise(self.overrides)
        self.registry = Registry(tuple(Path(p).expanduser().resolve() for p in methods_path(self.overrides)))
        self.config_dirs = [_existing(path) for path in config_dirs]
        self.installed = False
        self._known: dict[tuple[str, ...], tuple[dict[str, Any], dict[str, str]]] = {}

    def compose(self, words: Sequence[str] | None = None) -> Composed:
        """The configuration of `words` (default: the command's own), checked; raises `ConfigError`.

        Jobs of a sweep that differ in nothing but the values of some keys are composed once: Hydra takes a
        tenth of a second for each, and a sweep may have thousands.
        """
        words = self._with_preset(self.words if words is None else list(words))
        shape = tuple(_without_value(word) for word in words)
        if shape not in self._known:
            return self.check(self.tree(words), words)
        values, choices = deepcopy(self._known[shape])
        for word, name in zip(words, shape, strict=True):
            if name != word:
                _put(values, name.rstrip("="), parse([word])[0].value())
        return self._checked(values, choices, words)

    def _with_preset(self, words: list[str]) -> list[str]:
        """The words, and the method and data set that a preset among them is for, if none are chosen."""
        said = dict(word.split("=", 1) for word in words if "=" in word)
        method, slash, dataset = said.get("preset", "").partition("/")
        if not slash or "experiment" in said or said.get("method", method) != method:
            return words
        of = {"preset": said["preset"], "method": method, "dataset": dataset}
        if any(name not in self.options(group, self.installed) for group, name in of.items()):
            return words
        return words + [f"{group}={of[group]}" for group in ("method", "dataset") if group not in said]

    def tree(self, words: Sequence[str]) -> DictConfig:
        """What Hydra composes; entry points are searched only when a first attempt found no such option."""
        try:
            return self._tree(words)
        except (HydraException, OmegaConfBaseException, ValueError, yaml.YAMLError, OSError) as first:
            if not self.installed and "Could not find" in str(first):
                self.installed = True
                if self.registry.conf_folders(installed=True) != self.registry.conf_folders(installed=False):
                    return self.tree(words)
            from runner.explain import explain

            raise ConfigError(explain(first, words, self)) from first

    def _tree(self, words: Sequence[str]) -> DictConfig:
        places = self.places(self.installed)
        search = [f"hydra.searchpath=[{','.join(_quoted(place) for place in places)}]"] if places else []
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(CONF), version_base="1.3", job_name="run"):
            return hydra_compose("config", [*words, *search], return_hydra_config=True)

    def places(self, installed: bool) -> list[Path]:
        """Folders of YAML besides the project's own."""
        return self.config_dirs + self.registry.conf_folders(installed)

    def options(self, group: str, installed: bool = True) -> list[str]:
        """The names that can be chosen in `group`, from the YAML files that are there."""
        homes = [place / group for place in (CONF, *self.places(installed))]
        names = {
            f.relative_to(home).with_suffix("").as_posix() for home in homes for f in home.rglob("*.yaml")
        }
        return sorted(names)

    def check(self, tree: DictConfig, words: Sequence[str]) -> Composed:
        """The composed tree as settings; raises `ConfigError` for anything that they do not admit."""
        self._refuse_hydra(tree)
        chosen = tree.hydra.runtime.choices
        choices = {group: str(chosen.get(group)) for group in GROUPS}
        if choices["preset"] not in (presets := self.options("preset", self.installed)):
            _refuse_preset(choices["preset"], words, presets)
            choices["preset"] = "none"
        self._refuse_late_methods(tree)
        values = plain(tree)
        if not any("${" in str(tree._get_node(key)) for key in tree if key != "hydra"):
            # No value depends on another, so a job with other values can be made from this one.
            self._known[tuple(_without_value(word) for word in words)] = deepcopy((values, choices))
        return self._checked(values, choices, words)

    def _checked(self, values: dict[str, Any], choices: dict[str, str], words: Sequence[str]) -> Composed:
        how = {node: values.pop(node, None) for node in HOW}
        try:
            return replace(checked(values, choices, tuple(words), self.registry), how=how)
        except ConfigError as error:
            from runner.origin import located

            raise ConfigError(located(str(error), words, choices, self.places(self.installed))) from None

    def _refuse_late_methods(self, tree: DictConfig) -> None:
        """Methods are found before anything is composed, so a file cannot say where they lie."""
        said = tree.methods.path if OmegaConf.is_dict(tree.methods) else None
        if said and not self.registry.folders:
            raise ConfigError("methods.path can only be a word of the command, as in methods.path=DIR")

    def _refuse_hydra(self, tree: DictConfig) -> None:
        """Files of the user's cannot reach Hydra's own settings, some of which name code to call."""
        if not self.places(self.installed):
            return  # the project's own files set none
        words = [word for word in self.words if word.lstrip("+~").startswith(ALLOWED_HYDRA)]
        given, plain = (_hydra_values(one) for one in (tree, self._tree(words)))
        changed = sorted(key for key in given if given[key] != plain.get(key))
        if changed:
            raise ConfigError(f"hydra.{changed[0]}: a configuration file cannot change Hydra's own settings")


def _without_value(word: str) -> str:
    """`key=` of a word that sets one plain value; any other word as it is."""
    found = PLAIN.match(word)
    if found is None or found[1] in (*GROUPS, *HOW) or found[1].startswith("hydra"):
        return word
    return f"{found[1]}="


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for name in path:
        values = values[name]
    values[last] = value


def _hydra_values(tree: DictConfig) -> dict[str, Any]:
    hydra = OmegaConf.to_container(tree.hydra, resolve=False)
    assert isinstance(hydra, dict)
    values = {str(key): value for key, value in hydra.items() if key not in HYDRA_PER_RUN}
    return values | {
        f"job.{k}": v for k, v in hydra["job"].items() if k not in ("override_dirname", "config")
    }


def _existing(path: Path) -> Path:
    if not path.is_dir():
        raise ConfigError(f"--config-dir: there is no folder {path}")
    return path.resolve()


def _quoted(place: Path) -> str:
    return "'file://" + str(place).replace("'", "\\'") + "'"


def methods_path(overrides: Sequence[Override]) -> list[str]:
    """The folders that the overrides name as `methods.path`."""
    paths: list[str] = []
    for override in overrides:
        if override.key_or_group == "methods.path":
            value = override.value()
            paths = [str(item) for item in value] if isinstance(value, list) else [str(value)]
    return paths


def _refuse_preset(name: str, words: Sequence[str], options: Sequence[str]) -> None:
    """A preset that is only the pair's own may be missing; one that was asked for may not."""
    if any(word.startswith("preset=") for word in words):
        raise ConfigError(f"preset={name} is not known{nearest(name, options)} (see conf/preset)")


def plain(tree: DictConfig) -> dict[str, Any]:
    """The composed tree, without Hydra's own part, as plain values; raises `ConfigError`."""
    return {str(key): _plain(tree._get_node(key), str(key)) for key in tree if key != "hydra"}


def _plain(node: Any, key: str) -> Any:
    """A node as plain values; refuses code by name, and resolvers, which the project's own files do not
    use."""
    _refuse_in(
        OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node._value(), key
    )
    try:
        if OmegaConf.is_config(node):
            return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
        return node._get_parent()[key]
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key}: {' '.join(str(error).split())}") from None


def _refuse_in(value: Any, key: str) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if str(name) in ("_target_", "()", "_partial_", "_convert_", "_args_"):
                raise ConfigError(f"{key}.{name}: a configuration cannot name code to call")
            _refuse_in(item, f"{key}.{name}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _refuse_in(item, f"{key}[{i}]")
    elif isinstance(value, str) and re.search(r"\$\{[^}$]*:", value):
        raise ConfigError(f"{key}: resolvers such as ${{name:...}} are not available")


def checked(
    config: dict[str, Any], choices: dict[str, str], overrides: tuple[str, ...], registry: Registry
) -> Composed:
    """Settings from plain values, as composed now or as saved with a run; raises `ConfigError`."""
    rest = {key: value for key, value in config.items() if key not in ("method", "dataset")}
    schema.build(TrainerSettings, rest.get("trainer", {}), "trainer", "conf/trainer/default.yaml")
    root = schema.build(RootSettings, _with_paths(rest, registry), "", "conf/config.yaml")
    method, dataset = registry.method(choices["method"]), registry.dataset(choices["dataset"])
    method_config = method_settings(method, config.get("method", {}))
    node = config.get("dataset", {})
    dataset_config = schema.build(dataset.entry.config, node, "dataset", dataset.yaml("dataset"))
    composed = Composed(
        {**config, **_with_paths(rest, registry)},
        choices, overrides, root, method, method_config, dataset, dataset_config, registry,
    )  # fmt: skip
    _check_fit(composed)
    return composed


def method_settings(method: Found, node: Any) -> Any:
    """The method's dataclass from its node; raises `ConfigError`."""
    entry: MethodEntry = method.entry
    return schema.build(method.refer(entry.config), node, "method", method.yaml("method"))


def _with_paths(config: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """The root with `methods.path` made absolute, so that a run can be resumed from any folder."""
    node = config.get("methods")
    paths = {"path": [str(folder) for folder in registry.folders]}
    return {**config, "methods": {**node, **paths} if isinstance(node, dict) else node}


def _check_fit(composed: Composed) -> None:
    method, dataset = composed.method.entry, composed.dataset.entry
    if method.needs not in dataset.kinds:
        able = sorted(
            name for name, f in composed.registry.datasets().items() if method.needs in f.entry.kinds
        )
        others = ", ".join(able) or "no data set here is of that kind"
        kinds = " or ".join(dataset.kinds)
        raise ConfigError(
            f"dataset={dataset.name} is data of the kind {kinds}, but method={method.name} needs "
            f"{method.needs}: {others}"
        )
    if composed.root.task not in method.all_tasks:
        task = composed.root.task
        hint = nearest(task, method.all_tasks)
        if composed.root.checkpoint is None and not task.startswith(CHECK):
            hint += "; a task looks at a finished run, checkpoint=DIR, or at method=NAME"
        raise ConfigError(f"task={task} is not a task of {method.name}{hint}")
    if composed.root.task == "train" and composed.root.checkpoint and not method.trains_from_checkpoint:
        place = composed.root.checkpoint
        raise ConfigError(
            f"checkpoint={place} does not go with task=train: `run resume {place}` goes on with a run, and "
            f"task=evaluate looks at it again"
        )
    if not composed.root.task.startswith(("train", CHECK)) and composed.root.checkpoint is None:
        raise ConfigError(f"task={composed.root.task} needs checkpoint=DIR, the folder of a finished run")


OWN_GROUPS = ("method", "preset", "experiment", "dataset", "task", "checkpoint")


def of_source(source: Source, asking: Composed) -> Composed:
    """The configuration of the method that a `Source` names.

    Its own YAML and presets, the settings given with the source, and what the asking command says of
    everything but the method, so that `debug=fast` or `trainer.ema=0.9` reach it too.
    """
    provider: MethodEntry = asking.registry.method(str(source.method)).entry
    words = [w for w in asking.overrides if not _own(w)] + [f"method={provider.name}"]
    if provider.needs in asking.dataset.entry.kinds:
        words += [
            f"dataset={asking.choices['dataset']}",
            *(w for w in asking.overrides if w.startswith("dataset.")),
        ]
    composer = Composer(words)
    composer.registry = asking.registry
    composed = composer.compose()
    node = OmegaConf.to_container(OmegaConf.merge(composed.config["method"], source.config))
    return replace(composed, method_config=method_settings(composed.method, node))


def _own(word: str) -> bool:
    key = word.lstrip("+~").partition("=")[0]
    return key in OWN_GROUPS or key.startswith(("method.", "dataset."))


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Dotted keys whose values differ between two configurations."""
    one, two = flat(a), flat(b)
    return sorted(key for key in one.keys() | two.keys() if one.get(key) != two.get(key))
