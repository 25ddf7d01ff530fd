"""The search: its space, its trials, processes that share it and processes that die."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from helpers import rows_of_classes, write_table
from wavebind.core.errors import InputError
from wavebind.core.settings import from_dict
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.models import Classifier, load_model
from wavebind.models.registry import get_backbone
from wavebind.report.tuning_page import importances
from wavebind.training.config import TrainingConfig
from wavebind.training.recipes import Recipe, load_recipe, recipe_names, recipe_text
from wavebind.tune.search import TuneConfig, trial_rows, tune
from wavebind.tune.space import GROUPS, SearchSpace
from wavebind.tune.study import (
    BASE,
    SILENCE,
    alive,
    best_trial,
    ended,
    join_study,
    reclaim,
    repeated,
)

ARGUMENTS = ["--epochs", "1", "--search", "optimiser", "--device", "cpu"]


@pytest.fixture
def no_noise():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_the_same_after_it_was_written(name, tmp_path):
    recipe = load_recipe(name)
    path = tmp_path / "copy.toml"
    path.write_text(recipe_text(recipe))
    assert load_recipe(str(path)) == recipe


def test_a_recipe_is_within_the_bounds_and_comes_back():
    space = SearchSpace(load_recipe("wavelets"), 200)
    values = space.values_of_base()
    assert values is not None
    assert values["scalogram.wavelet.beta"] == 4.0
    assert values["scalogram.outputs"] == "real,imag"
    assert values["options.dilations"] == "1,2,4"
    assert values["training.batch_size"] == "128"
    recipe = space.recipe(optuna.trial.FixedTrial(values))
    assert recipe.model(200).resolved() == space.base.model(200).resolved()
    assert recipe.training["learning_rate"] == 2e-3
    assert recipe.training["strand"] is True


@pytest.mark.parametrize("backbones", [(), ("scalenet", "cnn", "deepbind")])
def test_what_is_drawn_makes_networks_that_differ(no_noise, backbones):
    space = SearchSpace(load_recipe("wavelets"), 200, backbones=backbones)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    seen = {name: set() for name in ("backbone", "kind", "encoding", "n_scales", "lr")}
    for _ in range(80):
        trial = study.ask()
        recipe = space.recipe(trial)
        model = recipe.model(200)
        seen["backbone"].add(recipe.backbone)
        seen["kind"].add(model.scalogram.wavelet.kind)
        seen["encoding"].add(model.scalogram.encoding)
        seen["n_scales"].add(model.scalogram.n_scales)
        seen["lr"].add(recipe.training["learning_rate"])
        names = set(trial.params)
        signal_alone = recipe.backbone in ("cnn", "deepbind")
        assert ("scalogram.stride" in names) != signal_alone
        assert ("options.stem_kernel" in names) == (recipe.backbone == "scalenet")
        assert ("options.widths" in names) == (recipe.backbone == "cnn")
        if not signal_alone:
            kind = model.scalogram.wavelet.kind
            assert ("scalogram.wavelet.mu" in names) == (kind == "morlet")
    assert seen["backbone"] == set(backbones or ("scalenet",))
    assert seen["kind"] == {"morse", "morlet", "dog"}
    assert len(seen["encoding"]) > 4
    assert len(seen["n_scales"]) > 5
    assert len(seen["lr"]) == 80


def test_only_what_was_asked_for_is_drawn(no_noise):
    space = SearchSpace(load_recipe("default"), 200, groups=("augmentation",))
    trial = optuna.create_study().ask()
    recipe = space.recipe(trial)
    assert {name.split(".")[0] for name in trial.params} == {"training"}
    assert recipe.scalogram == space.base.scalogram


def test_single_settings_are_searched_by_their_names():
    space = SearchSpace(load_recipe("default"), 200, ("options.dropout", "training.mutation"))
    values = space.values_of_base()
    assert values == {"options.dropout": 0.1, "training.mutation": 0.0}
    recipe = space.recipe(
        optuna.trial.FixedTrial({"options.dropout": 0.25, "training.mutation": 0.01})
    )
    assert recipe.options["dropout"] == 0.25
    assert recipe.training["mutation"] == 0.01
    assert recipe.scalogram == space.base.scalogram


@pytest.mark.parametrize("name", [*recipe_names(), "wide"])
def test_the_first_trial_is_the_recipe_whatever_its_values(name):
    """Those of 'small' (batches of 32) lie beyond the bounds that others are searched in."""
    base = load_recipe("default" if name == "wide" else name)
    if name == "wide":
        odd = {"learning_rate": 0.5, "batch_size": 48, "unbound_ratio": None}
        base = replace(base, training=odd, scalogram=replace(base.scalogram, n_scales=31))
    space = SearchSpace(base, 200)
    values = space.values_of_base()
    first = space.recipe(optuna.trial.FixedTrial(values))
    whole = from_dict(TrainingConfig, base.training, "base")
    assert from_dict(TrainingConfig, first.training, "first") == whole
    assert (first.scalogram, first.backbone) == (base.scalogram, base.backbone)
    settings = get_backbone(base.backbone).settings
    assert from_dict(settings, first.options, "a") == from_dict(settings, base.options, "b")
    # And Optuna itself draws it, as the first of the queue.
    study = optuna.create_study()
    study.enqueue_trial(values)
    trial = study.ask()
    assert from_dict(TrainingConfig, space.recipe(trial).training, "drawn") == whole
    assert trial.params == values
    if name == "wide":
        assert "training.unbound_ratio" not in values
        assert values["training.batch_size"] == "48"


def test_a_search_among_other_networks_begins_with_the_first_of_them():
    space = SearchSpace(load_recipe("default"), 200, ("optimiser",), ("cnn",))
    assert space.recipe(optuna.trial.FixedTrial(space.values_of_base())).backbone == "cnn"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": ("colour",)}, "nothing called 'colour' to search; choose among encoding"),
        ({"groups": ("options.size",)}, "or single settings: options.band, options.band_blocks"),
        ({"groups": ()}, "nothing is searched; name one of encoding"),
        ({"backbones": ("cnn", "cnn")}, "a network is named twice"),
        ({"backbones": ("resnet9",)}, "model 'resnet9' is not known"),
    ],
)
def test_a_space_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        SearchSpace(Recipe(), 200, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "trials must be 1 or more; found 0"),
        ({"time_limit": 0.0}, "time_limit must be above 0; found 0.0"),
        ({"max_epoch_seconds": 0.0}, "max_epoch_seconds must be above 0; found 0.0"),
        ({"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        TuneConfig(**arguments)


def test_a_search_ends_with_its_trials_and_its_winner_repeats(cli, trained, tmp_path, monkeypatch):
    looked_at = []
    indices = Dataset.indices
    monkeypatch.setattr(
        Dataset, "indices", lambda self, part: looked_at.append(part) or indices(self, part)
    )
    out = tmp_path / "search"
    code, stdout, stderr = cli("tune", trained[1], "--out", out, "--trials", 5, *ARGUMENTS)
    assert code == 0, stderr
    assert "5 of 5 trials ended" in stdout
    assert set(looked_at) == {"train", "valid"}
    lines = [line.split("\t") for line in (out / "trials.tsv").read_text().splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert [row["state"] for row in rows] == ["complete"] * 5
    # The first is the recipe that was searched from.
    assert float(rows[0]["training.learning_rate"]) == 2e-3
    assert len({row["training.learning_rate"] for row in rows}) == 5
    best = max(rows, key=lambda row: float(row["valid_score"]))
    assert f"best: trial {best['trial']}, valid AUROC {float(best['valid_score']):.4f}" in stdout
    page = (out / "tune.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert f"{float(best['valid_score']):.4f}" in page
    again = tmp_path / "again"
    # best.toml has the epochs of a full training; with those of the search it is the trial.
    text = (out / "best.toml").read_text()
    assert f"epochs = {TrainingConfig().epochs}\n" in text
    epochs = ARGUMENTS[ARGUMENTS.index("--epochs") + 1]
    assert f"{epochs} epochs, seed 0" in text
    arguments = ["--recipe", out / "best.toml", "--out", again, "--epochs", epochs]
    arguments += ["--device", "cpu"]
    assert cli("train", trained[1], *arguments)[0] == 0
    card = load_model(again / "model.safetensors")[1]
    assert card.valid["auroc"] == pytest.approx(float(best["valid_score"]), abs=1e-6)
    # A second call finds nothing left to do.
    code, stdout, stderr = cli("tune", trained[1], "--out", out, "--trials", 5, *ARGUMENTS)
    assert code == 0
    assert "joining a search: 5 trials ended, 0 running" in stderr
    assert "trial 5" not in stderr
    # And a larger number goes on where it stopped.
    code, stdout, stderr = cli("tune", trained[1], "--out", out, "--trials", 6, *ARGUMENTS)
    assert "6 of 6 trials ended" in stdout
    code, _, stderr = cli("tune", trained[1], "--out", out, "--trials", 6, "--seed", 4, *ARGUMENTS)
    assert code == 1
    assert "was begun with seed 0, and this is with 4" in stderr


def _start(data, out, *more):
    command = [sys.executable, "-m", "wavebind", "tune", str(data), "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, *ARGUMENTS, *map(str, more)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_until(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)


@pytest.mark.slow
def test_two_processes_share_a_study_and_one_that_is_killed_is_made_good(trained, tmp_path):
    out = tmp_path / "search"
    more = ["--trials", 6, "--epochs", 3]
    first = _start(trained[1], out, *more)
    # Killed in the middle of a trial, once an epoch of it is on disk.
    _wait_until(lambda: list(out.glob("trials/*/history.json")) or first.poll() is not None)
    assert first.poll() is None, first.communicate()
    second = _start(trained[1], out, *more)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    third = _start(trained[1], out, *more)
    errors = [process.communicate(timeout=240)[1] for process in (second, third)]
    assert second.returncode == 0, errors[0]
    assert third.returncode == 0, errors[1]
    study = study_of(out)
    assert ended(study)[0] == 6
    rows = trial_rows(study)
    assert len(rows) == 6
    assert all(row["state"] in ("complete", "pruned") for row in rows), rows
    assert len({row["worker"] for row in rows}) >= 2
    lost = [study.trials[number] for number in repeated(study)]
    assert lost, "the trial of the killed process was not found"
    again = [t for t in study.trials if t.user_attrs.get("folder") == lost[0].number]
    assert again[0].params == lost[0].params
    assert (out / "best.toml").is_file()


def test_a_trial_that_is_behind_the_others_ends_early(trained, tmp_path, monkeypatch, no_noise):
    from wavebind.training.config import EpochReport
    from wavebind.tune import search as tuning

    scores = iter([0.9, 0.91, 0.92, 0.93, 0.94, 0.6, 0.95])

    class Card:
        def __init__(self, value):
            self.valid, self.epoch = {"auroc": value}, 4

    def train(data, out, model, config, *, on_event, **_):
        value = next(scores)
        out.mkdir(parents=True)
        for epoch in range(1, 5):
            on_event(EpochReport(epoch, 0.1, value, value, 0.1, 1.0))
        return Card(value)

    monkeypatch.setattr(tuning, "train", train)
    data = open_dataset(trained[1])
    found = tune(data, tmp_path / "out", TuneConfig(trials=7, epochs=4, search=("optimiser",)))
    rows = trial_rows(found.study)
    assert [row["state"] for row in rows] == [*["complete"] * 5, "pruned", "complete"]
    assert rows[5]["epochs"] < 4
    assert not (tmp_path / "out" / "trials" / "00005").exists()
    assert found.best.number == 6
    weights, reason = importances(found)
    assert not reason
    assert sum(weights.values()) == pytest.approx(1, abs=1e-6)


def test_a_trial_that_cannot_be_counts_and_says_why(trained, tmp_path):
    data = open_dataset(trained[1])
    config = TuneConfig(trials=2, epochs=1, search=("network",), max_weights=10)
    found = tune(data, tmp_path / "out", config)
    rows = trial_rows(found.study)
    assert [row["state"] for row in rows] == ["impossible"] * 2
    assert "weights, which is too many" in rows[0]["error"]
    assert found.best is None
    assert not (tmp_path / "out" / "best.toml").exists()


def test_a_trial_whose_epochs_take_too_long_is_ended(trained, tmp_path):
    data = open_dataset(trained[1])
    config = TuneConfig(trials=2, epochs=50, search=("optimiser",), max_epoch_seconds=1e-3)
    found = tune(data, tmp_path / "out", config)
    rows = trial_rows(found.study)
    assert [row["state"] for row in rows] == ["impossible"] * 2
    assert [row["epochs"] for row in rows] == [1, 1]
    assert re.fullmatch(r"an epoch took \d+ s, which is too long", rows[0]["error"])
    assert not (tmp_path / "out" / "trials" / "00000").exists()


def test_a_search_on_classes_goes_by_their_macro_f1(tmp_path, cli):
    header = "chrom\tstart\tend\tsplit\tkind\tseq"
    table = write_table(tmp_path / "classes.tsv", rows_of_classes(12), header)
    assert cli("dataset", table, "--target", "kind", "--out", tmp_path / "data")[0] == 0
    out = tmp_path / "out"
    code, stdout, err = cli("tune", tmp_path / "data", "--out", out, "--trials", "1", *ARGUMENTS)
    assert code == 0, err
    history = json.loads((out / "trials" / "00000" / "history.json").read_text())
    assert f"valid macro F1 {history[-1]['valid_macro_f1']:.4f}" in stdout
    assert "AUROC" not in stdout + err
    assert "highest valid macro F1 of 1 trials" in (out / "tune.html").read_text()


def test_a_time_limit_begins_no_further_trial(trained, tmp_path):
    data = open_dataset(trained[1])
    config = TuneConfig(trials=50, epochs=1, search=("optimiser",), time_limit=0.001)
    found = tune(data, tmp_path / "out", config)
    assert found.ended <= 1


def _dead():
    """The number of a process that is gone."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_a_trial_is_lost_when_its_process_is_gone_or_silent(tmp_path, no_noise):
    study = join_study(tmp_path / "s", {}, None)
    mine, gone, elsewhere = (study.ask() for _ in range(3))
    mine.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
    gone.set_user_attr("worker", f"{socket.gethostname()}:{_dead()}")
    elsewhere.set_user_attr("worker", "another-host:1")
    for trial in (mine, gone, elsewhere):
        trial.set_user_attr("beat", time.time())
    assert [alive(t) for t in study.trials] == [True, False, True]
    assert [alive(t, time.time() + SILENCE + 5) for t in study.trials] == [False] * 3
    assert reclaim(study) == 1
    assert ended(study) == (0, 2)
    assert [t.state.name for t in study.trials] == ["RUNNING", "FAIL", "RUNNING", "WAITING"]
    assert best_trial(study) is None


def _at_once(work, n=4):
    """What `n` threads return that begin together, each with the number it has."""
    barrier = threading.Barrier(n)

    def begin(number):
        barrier.wait(30)
        return work(number)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(begin, range(n)))


def test_a_lost_trial_is_repeated_once_by_whoever_finds_it_first(tmp_path, no_noise):
    # Each with a storage of its own, as processes have; the folder is made by all at once.
    studies = _at_once(lambda _: join_study(tmp_path / "s", {"seed": 0}, None))
    worker = f"{socket.gethostname()}:{_dead()}"
    for _ in range(12):
        studies[0].ask().set_user_attr("worker", worker)
    reclaimed = _at_once(lambda i: reclaim(studies[i]))
    assert sum(reclaimed) == 12
    assert ended(studies[0]) == (0, 0)
    asked = _at_once(lambda i: [studies[i].ask() for _ in range(4)])
    numbers = [trial.number for trials in asked for trial in trials]
    assert len(set(numbers)) == 16
    folders = [t.user_attrs["folder"] for ts in asked for t in ts if "folder" in t.user_attrs]
    assert sorted(folders) == list(range(12))


def test_processes_that_begin_at_once_try_the_base_once(trained, tmp_path, monkeypatch, no_noise):
    from wavebind.tune import search as tuning

    class Card:
        valid, epoch = {"auroc": 0.75}, 1

    monkeypatch.setattr(tuning, "train", lambda *_, **__: Card())
    data = open_dataset(trained[1])
    config = TuneConfig(trials=4, epochs=1, search=("optimiser",))
    values = tuning.space_of(data, config).values_of_base()
    out = tmp_path / "out"
    agreed = tuning._agreed(data, tuning.space_of(data, config), config)
    study = join_study(out, agreed, values)
    for _ in range(2):  # Two more that found no trial yet.
        study.enqueue_trial(values, user_attrs={"base": True})
    rows = trial_rows(tune(data, out, config).study)
    assert [row["state"] for row in rows] == ["complete"] * 4
    assert [row["values"] == values for row in rows] == [True, False, False, False]


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_a_trial_that_was_taken_over_leaves_its_folder_alone(ends, trained, tmp_path, monkeypatch):
    from wavebind.tune import search as tuning

    class Card:
        valid, epoch = {"auroc": 0.75}, 1

    def train(data, out, model, config, *, resume, **_):
        (out / "checkpoints").mkdir(parents=True, exist_ok=True)
        (out / "run.json").write_text("{}")
        (out / "checkpoints" / "last.ckpt").write_text("")
        if resume:
            return Card()
        # Silent for too long: another process finds the trial, and has nothing to do with this one.
        monkeypatch.setattr("wavebind.tune.study.SILENCE", -1.0)
        assert reclaim(study_of(tmp_path / "out")) == 1
        monkeypatch.setattr("wavebind.tune.study.SILENCE", SILENCE)
        if ends == "badly":
            raise InputError("the folder holds what it should not")
        return Card()

    monkeypatch.setattr(tuning, "train", train)
    said = []
    found = tune(
        open_dataset(trained[1]),
        tmp_path / "out",
        TuneConfig(trials=1, epochs=1, search=("optimiser",)),
        lambda event: said.append(event.words),
    )
    ends_of_trials = [words for words in said if re.match(r"trial \d: (valid|taken)", words)]
    assert ends_of_trials == [
        "trial 0: taken over by another process",
        "trial 1: valid AUROC 0.7500; the best so far 0.7500",
    ]
    assert [row["trial"] for row in trial_rows(found.study)] == [1]
    assert (tmp_path / "out" / "trials" / "00000" / "run.json").is_file()


def study_of(folder):
    """The search of a folder, opened as another process would."""
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    return optuna.load_study(study_name="wavebind", storage=storage)


def test_processes_that_begin_at_once_agree(tmp_path, no_noise):
    """One gives the folder its settings; the others compare theirs."""

    def begin(number):
        try:
            return join_study(tmp_path / "s", {"seed": number % 2}, None)
        except InputError as error:
            return str(error)

    found = _at_once(begin, 8)
    joined = [number for number, one in enumerate(found) if not isinstance(one, str)]
    assert len(joined) == 4
    assert len({number % 2 for number in joined}) == 1
    refused = [one for one in found if isinstance(one, str)]
    assert all("the search was begun with seed" in one for one in refused)
    assert sorted(path.name for path in (tmp_path / "s").glob(".*")) == []


def test_a_folder_without_hard_links_has_one_first_process(tmp_path, no_noise, monkeypatch):
    def none(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    found = _at_once(lambda _: join_study(tmp_path / "s", {"seed": 1}, None), 8)
    assert len(found) == 8
    with pytest.raises(InputError, match="the search was begun with seed 1, and this is with 2"):
        join_study(tmp_path / "s", {"seed": 2}, None)


@pytest.mark.slow
def test_a_search_that_is_started_several_times_at_once(trained, tmp_path):
    out = tmp_path / "search"
    processes = [_start(trained[1], out, "--trials", 4, "--epochs", 1) for _ in range(4)]
    errors = [process.communicate(timeout=400)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    rows = trial_rows(study_of(out))
    assert [row["state"] for row in rows] == ["complete"] * 4
    bases = [t for t in study_of(out).trials if BASE in t.user_attrs and t.state.name == "COMPLETE"]
    assert len(bases) == 1


def test_what_is_no_journal(tmp_path, no_noise):
    join_study(tmp_path / "s", {}, None)
    (tmp_path / "s" / "study.journal").write_bytes(b"not json\n")
    with pytest.raises(InputError, match=r"study.journal: is not the journal of a search"):
        join_study(tmp_path / "s", {}, None)


def test_a_search_of_another_version_is_refused(tmp_path):
    (tmp_path / "tune.json").write_text('{"data": {"codes_sha256": "0"}, "settings": {}}')
    with pytest.raises(InputError, match="begun by another version of wavebind; go on with that"):
        join_study(tmp_path, {}, None)


def test_a_folder_of_something_else_is_left_alone(cli, trained, tmp_path):
    out = tmp_path / "other"
    out.mkdir()
    (out / "letter.txt").write_text("dear")
    code, _, stderr = cli("tune", trained[1], "--out", out, *ARGUMENTS)
    assert code == 1
    assert "is there and is not a search" in stderr
    assert sorted(p.name for p in out.iterdir()) == ["letter.txt"]


def test_every_group_has_a_setting():
    space = SearchSpace(load_recipe("wavelets"), 200)
    for group in GROUPS:
        alone = replace(space, groups=(group,))
        assert alone.values_of_base(), group


def test_what_a_recipe_does_not_have_is_not_searched():
    with pytest.raises(InputError, match="what wavelet, scales would change is not part of this"):
        SearchSpace(load_recipe("default"), 200, ("wavelet", "scales"))


def test_networks_of_any_draw_can_be_built(no_noise):
    space = SearchSpace(load_recipe("wavelets"), 200, ("scales", "network"))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=2))
    sizes = [Classifier(space.recipe(study.ask()).model(200)).n_weights for _ in range(8)]
    assert len(set(sizes)) == 8
    assert np.all(np.array(sizes) > 5_000)
