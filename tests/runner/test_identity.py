"""Which runs are the same experiment, and what tells others apart."""

from __future__ import annotations

import ast
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runner import folder, identity
from runner.compose import Composed, Composer
from runner.identity import fingerprint, modules, parts

ROOT = Path(__file__).resolve().parents[2]
TOYS = ROOT / "tests" / "toys"
PLAIN = ("method=realnvp", "dataset=digits")


def composed(*words: str) -> Composed:
    return Composer(words).compose()


def of(*words: str) -> str:
    return identity.identity(composed(*words))


def differing(one: dict[str, Any], two: dict[str, Any]) -> set[str]:
    """The parts in which two runs differ."""
    return {name for name in one if one[name] != two[name]}


def python(code: str, **environment: str) -> str:
    """What `code` prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return parts(composed(*PLAIN))


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Packages that a test makes are forgotten after it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if name.startswith("copied_")]:
        del sys.modules[name]


def copy_toys(home: Path, *names: str) -> Path:
    """A folder of methods with the packages `copied_<name>`, the toys' own under another name."""
    for name in names:
        shutil.copytree(TOYS / f"toy_{name}", home / f"copied_{name}")
    shutil.copytree(TOYS / "conf", home / "conf")
    return home


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """A copy of the small flow and of its points."""
    return copy_toys(tmp_path / "mine", "flow", "points")


def with_flow(home: Path, *words: str) -> Composed:
    return composed(f"methods.path={home}", "method=toy_flow", *words)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def add(file: Path, code: str) -> None:
    file.write_text((file.read_text() if file.exists() else "") + code)


class Same:
    """Whether a change of files, made by the body of a `with`, leaves a run the same."""

    def __init__(self, run: Composed, same: bool) -> None:
        self.run, self.same = run, same

    def __enter__(self) -> None:
        self.before = parts(self.run)

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            assert differing(self.before, parts(self.run)) == (set() if self.same else {"code"})


# Settings


def test_sixteen_hexadecimal_digits() -> None:
    found = of(*PLAIN)
    assert len(found) == 16
    int(found, 16)


def test_two_processes_agree_whatever_their_hash_seed() -> None:
    code = f"""
import json
from runner.compose import Composer
from runner.identity import identity, parts
run = Composer({list(PLAIN)!r}).compose()
print(json.dumps([identity(run), parts(run)]))
"""
    found = [json.loads(python(code, PYTHONHASHSEED=seed)) for seed in ("1", "2")]
    run = composed(*PLAIN)
    mine = json.loads(json.dumps([identity.identity(run), parts(run)]))
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
    identity._versions.cache_clear()
    assert parts(composed(*PLAIN))["versions"] == {"python": "3.12", "torch": "9"}
    identity._versions.cache_clear()


# Code


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("method.py", "\n# a comment\n"),
        ("method.py", '\n"""What stands above."""\n'),
        ("other.py", "x = 2\n"),
        ("below/other.py", "x = 2\n"),
        ("../other.py", "x = 2\n"),
    ],
)
def test_what_is_added_without_effect_does_not_count(flow: Path, file: str, code: str) -> None:
    (flow / "copied_flow" / "below").mkdir()
    add(flow / "copied_flow" / "other.py", "x = 1\n")
    with Same(with_flow(flow), same=True):
        add(flow / "copied_flow" / file, code)


@pytest.mark.parametrize("name", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_what_only_type_checkers_see_does_not_count(flow: Path, name: str) -> None:
    home = flow / "copied_flow"
    add(home / "other.py", "x = 1\n")
    add(home / "method.py", f"\nif {name}:\n    from .other import x\n")
    with Same(with_flow(flow), same=True):
        edit(home / "other.py", "x = 1", "x = 2")
        edit(home / "method.py", "from .other import x", "from .other import x as y")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("method.py", "(section 3.3)", "(section 3.4)"),
        ("config.py", '"help": "affine couplings"', '"help": "couplings"'),
        ("__init__.py", "in the plane", "in a plane"),
        ("__init__.py", "ICLR 2017", "ICLR 2018"),
        ("method.py", "x: Tensor) -> tuple[Tensor, Tensor]:", "x: Tensor\n    ) -> tuple[Tensor, Tensor]:"),
    ],
)
def test_words_for_people_and_layout_do_not_count(flow: Path, file: str, old: str, new: str) -> None:
    with Same(with_flow(flow), same=True):
        edit(flow / "copied_flow" / file, old, new)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("method.py", "scale = scale.tanh()", "scale = scale.sin()"),
        ("config.py", '"min": 1', '"min": 2'),
        ("__init__.py", 'needs="points"', 'needs="images"'),
        ("__init__.py", '"""A small', 'x = """A small'),
    ],
)
def test_what_has_an_effect_counts(flow: Path, file: str, old: str, new: str) -> None:
    with Same(with_flow(flow), same=False):
        edit(flow / "copied_flow" / file, old, new)


@pytest.mark.parametrize("code", ["f()", "...", "1", "assert f", "pass", "b'bytes'"])
def test_every_added_statement_but_a_text_counts(flow: Path, code: str) -> None:
    with Same(with_flow(flow), same=False):
        add(flow / "copied_flow" / "method.py", f"\n{code}\n")


def test_the_code_of_the_data_set_counts(flow: Path) -> None:
    with Same(with_flow(flow), same=False):
        edit(flow / "copied_points" / "data.py", "manual_seed(7)", "manual_seed(8)")


def test_a_change_of_one_letter_in_a_file_already_read_is_seen(flow: Path) -> None:
    file = flow / "copied_flow" / "method.py"
    add(file, "SCALE = 1\n")
    state = file.stat()
    with Same(with_flow(flow), same=False):
        edit(file, "SCALE = 1\n", "SCALE = 2\n")
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
        assert file.stat().st_size == state.st_size


IMPORTS = [
    "from . import lazy",
    "from .lazy import x",
    "from .lazy import *",
    "from copied_flow import lazy",
    "from copied_flow.lazy import x",
    "import copied_flow.lazy",
    "import copied_flow.lazy as other",
    "import os, copied_flow.lazy",
    "def f():\n    from . import lazy",
    "class C:\n    def f(self):\n        if self:\n            import copied_flow.lazy",
    "try:\n    pass\nexcept ImportError:\n    from .lazy import x",
    "try:\n    pass\nfinally:\n    from .lazy import x",
    "async def f():\n    with f:\n        for x in f:\n            from .lazy import x",
    "match 1:\n    case 1:\n        from .lazy import x",
    "if TYPE_CHECKING:\n    pass\nelse:\n    from .lazy import x",
    "from .between import x",
    "from .below import x",
    "from .below.deep import x",
    "import copied_beside",
    "import copied_beside_alone",
]


@pytest.mark.parametrize("imports", IMPORTS)
def test_a_module_that_is_imported_counts(flow: Path, imports: str) -> None:
    home = flow / "copied_flow"
    add(home / "method.py", f"\n{imports}\n")
    add(home / "between.py", "from . import lazy\n")
    (home / "below").mkdir()
    add(home / "below" / "__init__.py", "from ..lazy import x\n")
    add(home / "below" / "deep.py", "x = 1\n")
    (flow / "copied_beside").mkdir()
    add(flow / "copied_beside" / "__init__.py", "from copied_flow import lazy\n")
    add(flow / "copied_beside_alone.py", "from copied_flow import lazy\n")
    add(home / "lazy.py", "x = 1\n")
    with Same(with_flow(flow), same=False):
        edit(home / "lazy.py", "x = 1", "x = 2")


def test_importing_below_a_package_imports_the_package(flow: Path) -> None:
    home = flow / "copied_flow"
    for name in ("a", "a/b"):
        (home / name).mkdir()
        add(home / name / "__init__.py", "x = 1\n")
    add(home / "a" / "b" / "c.py", "x = 1\n")
    add(home / "method.py", "\nimport copied_flow.a.b.c\n")
    run = with_flow(flow)
    for file in ("a/__init__.py", "a/b/__init__.py", "a/b/c.py"):
        with Same(run, same=False):
            edit(home / file, "x = 1", "x = 2")


def test_a_package_given_by_itself_sees_what_lies_beside_it(flow: Path) -> None:
    add(flow / "copied_beside.py", "x = 1\n")
    add(flow / "copied_flow" / "method.py", "\nimport copied_beside\n")
    run = composed(f"methods.path=[{flow / 'copied_flow'},{flow / 'copied_points'}]", "method=toy_flow")
    with Same(run, same=False):
        edit(flow / "copied_beside.py", "x = 1", "x = 2")


class Point:
    """An entry point, as `importlib.metadata` gives it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def load(self) -> ModuleType:
        return importlib.import_module(self.name)


def install(monkeypatch: pytest.MonkeyPatch, site: Path, *names: str) -> None:
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(metadata, "entry_points", lambda group: [Point(name) for name in names])


def test_of_installed_packages_their_own_modules_count(flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, flow, "copied_flow", "copied_points")
    add(flow / "copied_beside.py", "x = 1\n")
    add(flow / "copied_flow" / "method.py", "\nimport copied_beside\n")
    run = composed("method=toy_flow")
    for package in ("flow", "points"):
        with Same(run, same=False):
            add(flow / f"copied_{package}" / "config.py", "x = 1\n")
    with Same(run, same=True):
        edit(flow / "copied_beside.py", "x = 1", "x = 2")


def test_an_installed_method_may_be_one_file(flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, flow, "copied_single", "copied_points")
    code = (flow / "copied_flow" / "__init__.py").read_text() + (TOYS / "toy_flow" / "config.py").read_text()
    code = code.replace("from __future__ import annotations", "")
    code = code.replace('".config:', '"copied_single:').replace('".method:', '"copied_single:')
    (flow / "copied_single.py").write_text(code)
    with Same(composed("method=toy_flow"), same=False):
        add(flow / "copied_single.py", "x = 1\n")


def test_what_lies_below_an_excluded_package_is_excluded(flow: Path) -> None:
    with_it = flow / "copied_flow" / "method.py"
    add(with_it, "\nimport runner.compare.table\n")
    assert not any(name.startswith("runner.compare") for name in modules(with_flow(flow)))


def test_the_settings_module_of_a_data_set_counts_though_no_loader_imports_it() -> None:
    run = composed(*PLAIN)
    entry = replace(run.dataset.entry, load="datasets.types:load")
    found = modules(replace(run, dataset=replace(run.dataset, entry=entry)))
    assert "datasets.config" in found
    assert "datasets.build" not in found


def test_a_module_counts_by_its_name(flow: Path) -> None:
    home = flow / "copied_flow"
    add(home / "one.py", "x = 1\n")
    add(home / "two.py", "x = 2\n")
    add(home / "method.py", "\nfrom . import one, two\n")
    with Same(with_flow(flow), same=False):
        (home / "one.py").write_text("x = 2\n")
        (home / "two.py").write_text("x = 1\n")


BROKEN = {
    "syntax": "x = (\n",
    "zero": "x = '\0'\n",
    "too large to spell": "x = 0x" + "f" * 10_000 + "\n",
    "too deep to parse": "x = " + "-" * 200_000 + "1\n",
    "too deep to walk": "x = " + "+".join("1" * 3_000) + "\n",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_parsed_counts_by_its_bytes(flow: Path, broken: str) -> None:
    add(flow / "copied_flow" / "method.py", "\ndef f():\n    from . import broken\n")
    add(flow / "copied_flow" / "broken.py", broken)
    with Same(with_flow(flow), same=False):
        add(flow / "copied_flow" / "broken.py", "# a comment\n")


def test_more_dots_than_packages_are_left_to_python(flow: Path) -> None:
    with Same(with_flow(flow), same=False):
        add(flow / "copied_flow" / "method.py", "\ndef f():\n    from ...... import lazy\n")


def test_the_place_of_methods_does_not_count(flow: Path, tmp_path: Path) -> None:
    first = parts(with_flow(flow))
    for name in [name for name in sys.modules if name.startswith("copied_")]:
        del sys.modules[name]
    sys.path.remove(str(flow))
    assert parts(with_flow(shutil.copytree(flow, tmp_path / "other" / "place"))) == first


def test_all_that_python_imports_is_found() -> None:
    code = """
import sys, runner.run, methods.realnvp.method, datasets.digits
print(" ".join(name for name in sys.modules if name.split(".")[0] in ("runner", "methods", "datasets")))
"""
    loaded = set(python(code).split())
    found = modules(composed(*PLAIN)).keys()
    missed = {name for name in loaded - found if not any(of_(name) for of_ in map(below, identity.NO_NUMBER))}
    assert not missed
    assert {"methods.realnvp.coupling", "runner.engine.loop", "datasets.digits"} <= found & loaded


def below(home: str) -> Callable[[str], bool]:
    return lambda name: name == home or name.startswith(f"{home}.")


def test_what_is_said_to_change_no_number_is_there_and_not_found() -> None:
    """`runner.search` may come; of all others a wrong name would exclude nothing."""
    files = {name: ROOT.joinpath(*name.split(".")) for name in identity.NO_NUMBER}
    there = {name for name, at in files.items() if at.is_dir() or at.with_suffix(".py").is_file()}
    assert identity.NO_NUMBER - there <= {"runner.search"}
    found = modules(composed(*PLAIN))
    assert not any(below(home)(name) for home in identity.NO_NUMBER for name in found)


def test_a_second_look_parses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run = composed(*PLAIN)
    first = parts(run)
    monkeypatch.setattr(ast, "parse", lambda source: pytest.fail("parsed again"))
    assert parts(run) == first


@pytest.mark.parametrize("dataset", ["digits", "mnist", "lsun_church"])
def test_an_identity_imports_nothing_heavy(dataset: str) -> None:
    python(
        "import sys\n"
        "from runner.compose import Composer\n"
        "from runner.identity import identity\n"
        f"identity(Composer(['method=realnvp', 'dataset={dataset}']).compose())\n"
        "heavy = {'torch', 'torchvision', 'sklearn', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )


# Sources


@pytest.fixture
def captioner(tmp_path: Path) -> Path:
    """A copy of the captioner and of the pipeline that makes its features."""
    return copy_toys(tmp_path / "mine", "captioner", "pipeline")


def with_captioner(home: Path, *words: str) -> Composed:
    return composed(f"methods.path={home}", "method=toy_captioner", *words)


def test_the_code_of_a_source_counts(captioner: Path) -> None:
    run = with_captioner(captioner)
    with Same(run, same=False):
        edit(captioner / "copied_pipeline" / "network.py", "ReLU", "Tanh")
    with Same(run, same=True):
        add(captioner / "copied_pipeline" / "network.py", "# a comment\n")


def test_the_settings_of_a_source_count_from_its_own_file(captioner: Path) -> None:
    run = with_captioner(captioner)
    before = parts(run)
    assert before["config"]["method.features"]["method.finetune.lr"] == 0.05
    edit(captioner / "conf" / "method" / "toy_pipeline.yaml", "lr: 0.05", "lr: 0.06")
    assert differing(before, parts(run)) == {"config"}


def test_the_settings_given_with_a_source_count_by_what_they_come_to(captioner: Path) -> None:
    same, other = (f"method.features.config.finetune.lr={lr}" for lr in ("0.05", "0.06"))
    plain = parts(with_captioner(captioner))
    assert parts(with_captioner(captioner, f"+{same}")) == plain
    assert differing(plain, parts(with_captioner(captioner, f"+{other}"))) == {"config"}


def test_the_source_of_a_source_counts(captioner: Path) -> None:
    shutil.copytree(captioner / "copied_captioner", captioner / "copied_second")
    edit(captioner / "copied_second" / "__init__.py", "toy_captioner", "toy_second")
    files = [captioner / "conf" / "method" / f"toy_{name}.yaml" for name in ("captioner", "second")]
    files[1].write_text(files[0].read_text().replace("method: toy_pipeline", "method: toy_captioner"))
    run = composed(f"methods.path={captioner}", "method=toy_second")
    assert {"method.features", "method.features.method.features"} < parts(run)["data"].keys()
    with Same(run, same=False):
        edit(captioner / "copied_pipeline" / "network.py", "ReLU", "Tanh")


def artifact(place: Path, content: str) -> str:
    place.mkdir(parents=True)
    (place / identity.RECORD).write_text(json.dumps({"metrics": {}, "content": content}))
    return f"method.features.path={place}"


def test_an_artifact_counts_by_its_content(captioner: Path, tmp_path: Path) -> None:
    places = [artifact(tmp_path / name, what) for name, what in (("a", "x"), ("b", "x"), ("c", "y"))]
    (tmp_path / "b" / "metrics.jsonl").write_text("{}")
    one, two, three = (
        parts(with_captioner(captioner, "method.features.method=null", word)) for word in places
    )
    assert one == two
    assert differing(one, three) == {"config"}


def test_an_artifact_without_a_record_counts_by_its_files(captioner: Path, tmp_path: Path) -> None:
    words = ["method.features.method=null", f"method.features.path={tmp_path / 'a'}"]
    missing = parts(with_captioner(captioner, *words))
    artifact(tmp_path / "a", "x")
    (tmp_path / "a" / identity.RECORD).write_text("[]")
    assert differing(missing, parts(with_captioner(captioner, *words))) == {"config"}


def test_the_record_is_the_stores() -> None:
    from runner.engine import store

    assert identity.RECORD == store.RECORD


# Data


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    home = tmp_path / "pictures"
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(name.encode())
    return home


def with_pictures(path: Path, *words: str) -> dict[str, Any]:
    return parts(composed("method=realnvp", "dataset=image_folder", f"dataset.path={path}", *words))


def test_a_copy_of_pictures_elsewhere_is_the_same_data(pictures: Path, tmp_path: Path) -> None:
    copied = tmp_path / "else" / "where"
    shutil.copytree(pictures, copied, copy_function=shutil.copyfile)
    os.utime(copied / "a" / "1.png", (1, 1))
    assert with_pictures(copied) == with_pictures(pictures)


def written(home: Path) -> None:
    (home / "a" / "1.png").write_bytes(b"A/1.png")


def renamed(home: Path) -> None:
    (home / "a" / "1.png").rename(home / "a" / "3.png")


def moved(home: Path) -> None:
    (home / "a" / "1.png").rename(home / "1.png")


def added(home: Path) -> None:
    (home / "a" / "0.png").touch()


@pytest.mark.parametrize("change", [written, renamed, moved, added])
def test_other_pictures_are_other_data(pictures: Path, change: Callable[[Path], None]) -> None:
    before = with_pictures(pictures)
    change(pictures)
    assert differing(before, with_pictures(pictures)) == {"data"}


def test_no_path_and_one_that_leads_nowhere(tmp_path: Path) -> None:
    none = parts(composed("method=realnvp", "dataset=image_folder"))
    nowhere = with_pictures(tmp_path / "nowhere")
    assert nowhere["data"]["path"] == "missing"
    assert none != nowhere
    assert "path" not in none["data"]


def test_hidden_files_links_to_nowhere_and_pipes_do_not_count(pictures: Path) -> None:
    before = fingerprint(pictures)
    (pictures / ".DS_Store").touch()
    (pictures / ".cache").mkdir()
    (pictures / ".cache" / "x.png").touch()
    (pictures / "a" / "9.png").symlink_to("nowhere")
    os.mkfifo(pictures / "a" / "pipe")
    assert fingerprint(pictures) == before
    assert fingerprint(pictures / "a" / "pipe") == "missing"


def test_links_to_folders_are_followed_once(pictures: Path, tmp_path: Path) -> None:
    before = fingerprint(pictures)
    (pictures / "c").symlink_to(pictures)
    assert fingerprint(pictures) == before
    (pictures / "d").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "1.png").touch()
    assert fingerprint(pictures) != before


def test_the_order_in_which_a_disk_lists_files_does_not_count(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "1.png").touch()
    for name in ("c", "d"):
        (pictures / name).symlink_to(tmp_path / "outside")
    found, walk = [], os.walk

    def listed(place: Path, backwards: bool) -> Iterator[tuple[str, list[str], list[str]]]:
        for home, below, files in walk(place, followlinks=True):
            below.sort(reverse=backwards)
            files.sort(reverse=backwards)
            yield home, below, files

    for backwards in (False, True):
        monkeypatch.setattr(os, "walk", lambda place, followlinks, b=backwards: listed(place, b))
        found.append(fingerprint(pictures))
    assert found[0] == found[1]


def test_one_file_counts_by_its_bytes_alone(tmp_path: Path) -> None:
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    one.write_bytes(b"x" * 10)
    two.write_bytes(b"x" * 10)
    os.utime(two, (1, 1))
    assert with_pictures(one) == with_pictures(two)
    two.write_bytes(b"y" * 10)
    assert differing(with_pictures(one), with_pictures(two)) == {"data"}


def test_much_data_is_not_read_but_known_by_sizes_and_times(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = fingerprint(pictures)
    monkeypatch.setattr(identity, "SMALL", 1)
    monkeypatch.setattr(identity, "_content", lambda *given: pytest.fail("read"))
    for place in (pictures, pictures / "a" / "1.png"):
        large = fingerprint(place)
        assert large not in (small, "missing")
        os.utime(pictures / "a" / "1.png", ns=(1, 1))
        touched = fingerprint(place)
        assert touched != large
        os.utime(pictures / "a" / "1.png")
    for file in pictures.rglob("*.png"):
        os.utime(file, ns=(1, 1))
    large = fingerprint(pictures)
    renamed(pictures)
    assert fingerprint(pictures) != large


def test_an_error_while_reading_is_left_to_the_run(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> str:
        raise PermissionError

    monkeypatch.setattr(identity, "_content", refuse)
    assert fingerprint(pictures).startswith("times:")


def test_official_files_are_known_by_what_is_published(tmp_path: Path) -> None:
    here = parts(composed("method=realnvp", "dataset=mnist"))
    names = dict(here["data"]["files"])
    assert names["train-images-idx3-ubyte.gz"] == "md5:6bbc9ace898e44ae57da46a324031adb"
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(b"wrong, and found out when it is read")
    assert parts(composed("method=realnvp", "dataset=mnist", f"data.root={tmp_path}")) == here


def test_the_settings_that_choose_files_choose_checksums() -> None:
    one, two = (
        parts(composed("method=realnvp", "dataset=svhn", f"dataset.extra={extra}"))["data"]["files"]
        for extra in ("true", "false")
    )
    assert one[:2] == two
    assert len(one) == 3


def test_a_readers_own_unpacked_archive_counts_by_its_bytes(tmp_path: Path) -> None:
    """Nothing is published for what the archives of LSUN hold; what the cache holds came from them."""
    words = ["method=realnvp", "dataset=lsun_church", f"data.cache={tmp_path / 'cache'}"]
    official = parts(composed(*words))
    for home in ("cache", "root"):
        place = tmp_path / home / "lsun_church" / "church_outdoor_train_lmdb"
        place.mkdir(parents=True)
        (place / "data.mdb").write_bytes(b"pictures")
    assert parts(composed(*words)) == official
    (tmp_path / "empty").mkdir()
    assert parts(composed(*words, f"data.root={tmp_path / 'empty'}")) == official
    own = parts(composed(*words, f"data.root={tmp_path / 'root'}"))
    assert differing(official, own) == {"data"}
    (tmp_path / "root" / "lsun_church" / "church_outdoor_train_lmdb" / "data.mdb").write_bytes(b"Pictures")
    assert differing(own, parts(composed(*words, f"data.root={tmp_path / 'root'}"))) == {"data"}


def test_a_file_without_a_checksum_counts_by_what_lies_there(flow: Path, tmp_path: Path) -> None:
    edit(flow / "copied_points" / "__init__.py", '("points",))', '("points",), ".remote:files")')
    add(
        flow / "copied_points" / "remote.py",
        "from datasets.types import RemoteFile\n"
        "def files(config):\n    return [RemoteFile('points.bin', None, None)]\n",
    )
    root = tmp_path / "root"
    (root / "toy_points").mkdir(parents=True)
    run = with_flow(flow, f"data.root={root}")
    missing = parts(run)
    assert missing["data"]["files"] == [["points.bin", "missing"]]
    (root / "toy_points" / "points.bin").write_bytes(b"1")
    assert differing(missing, parts(run)) == {"data"}


def test_what_a_reader_keeps_for_a_set_without_official_files_counts(flow: Path, tmp_path: Path) -> None:
    words = with_flow(flow, f"data.root={tmp_path / 'root'}")
    before = parts(words)
    assert before == parts(with_flow(flow))
    (tmp_path / "root" / "toy_points").mkdir(parents=True)
    (tmp_path / "root" / "toy_points" / "points.npy").touch()
    assert differing(before, parts(words)) == {"data"}


# The run that is looked at


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    home = tmp_path / "finished"
    (home / "checkpoints").mkdir(parents=True)
    (home / "checkpoints" / "best.pt").write_bytes(b"weights")
    result = {"status": "completed", "metrics": {"loss": 1.0}, "steps": 1, "seconds": 1.0, "numerics": {}}
    (home / "result.json").write_text(json.dumps(result))
    return home


def looking(place: Path) -> dict[str, Any]:
    return parts(composed(*PLAIN, "task=evaluate", f"checkpoint={place}"))


def test_a_finished_run_counts_by_what_it_came_to(finished: Path, tmp_path: Path) -> None:
    before = looking(finished)
    shutil.copytree(finished, tmp_path / "other", copy_function=shutil.copyfile)
    edit(tmp_path / "other" / "result.json", '"seconds": 1.0', '"seconds": 2.0')
    assert looking(tmp_path / "other") == before
    edit(tmp_path / "other" / "result.json", '"loss": 1.0', '"loss": 2.0')
    assert differing(looking(tmp_path / "other"), before) == {"config"}


@pytest.mark.parametrize("file", ["checkpoints/best.pt", "stages/features/train.npy"])
def test_what_a_finished_run_learned_counts(finished: Path, file: str) -> None:
    before = looking(finished)
    (finished / file).parent.mkdir(parents=True, exist_ok=True)
    (finished / file).write_bytes(b"Weights")
    assert differing(looking(finished), before) == {"config"}


def test_one_checkpoint_of_a_run_counts_by_itself(finished: Path) -> None:
    best = finished / "checkpoints" / "best.pt"
    before = looking(best)
    (finished / "checkpoints" / "last.pt").write_bytes(b"others")
    assert looking(best) == before != looking(finished)
    edit(finished / "result.json", '"loss": 1.0', '"loss": 2.0')
    assert differing(looking(best), before) == {"config"}
    edit(finished / "result.json", '"loss": 2.0', '"loss": 1.0')
    best.write_bytes(b"Weights")
    assert differing(looking(best), before) == {"config"}


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    assert "missing" in looking(tmp_path / "nowhere")["config"]["checkpoint"]
