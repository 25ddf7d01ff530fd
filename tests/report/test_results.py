"""Results lie side by side in a run, and a page says of which of them it is."""

import json
import shutil
from pathlib import Path

import pytest

from helpers import metrics_of, only_result, planted_rows, write_table
from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json, write_json
from wavebind.datasets.dataset import open_dataset
from wavebind.evaluate.assess import assess
from wavebind.explain.run import explain_run
from wavebind.models import load_model
from wavebind.models.results import EVALUATIONS, EXPLANATIONS, MOTIFS, find_results, place_of
from wavebind.report.choice import choose_evaluation, choose_result
from wavebind.report.run_page import write_report


@pytest.fixture(scope="module")
def evaluated(trained, tmp_path_factory):
    """A run scored on test, valid and train of its data, and on another set of the same name."""
    folder = tmp_path_factory.mktemp("results")
    run = Path(shutil.copytree(trained[0], folder / "run"))
    data = open_dataset(trained[1])
    for split in ("test", "valid", "train"):
        assess(run, data, split, device="cpu")
    from wavebind.cli.main import run as run_cli

    table = write_table(folder / "w.tsv", planted_rows(60, seed=9))
    other = folder / "other" / "data"
    assert run_cli(["dataset", str(table), "--out", str(other)]) == 0
    assess(run, open_dataset(other), device="cpu")
    explain_run(run, data, n=1, n_mean=2, method="occlusion", device="cpu")
    explain_run(run, data, n=1, n_mean=2, method="gradcam", part="valid", device="cpu")
    return run, data, other


@pytest.fixture
def run(evaluated, tmp_path):
    return Path(shutil.copytree(evaluated[0], tmp_path / "run"))


def card_of(run: Path):
    return load_model(run / "model.safetensors")[1]


def test_results_lie_side_by_side(evaluated):
    run, data, other = evaluated
    names = sorted(p.name for p in (run / "evaluations").iterdir())
    assert names[1:] == ["data-test", "data-train", "data-valid"]
    # Two datasets of one name are told apart by what they hold.
    assert names[0].startswith("data-")
    assert names[0].endswith("-test")
    assert place_of(run, EVALUATIONS, open_dataset(other), "test").name == names[0]
    values = {metrics_of_path(p)["n_windows"] for p in (run / "evaluations").iterdir()}
    assert len(values) > 1
    assert [r.found["method"] for r in find_results(run, EXPLANATIONS)] == ["gradcam", "occlusion"]
    assert (run / "explanations" / "occlusion" / "data-test" / "base_scores.tsv").is_file()
    for result in find_results(run, EVALUATIONS):
        stored = result.found["data"]
        expected = other if result.path.name == names[0] else data.path
        assert stored["path"] == str(expected.resolve())
        assert stored["splits_sha256"] == open_dataset(expected).identity["splits_sha256"]


def metrics_of_path(path: Path) -> dict:
    return json.loads((path / "metrics.json").read_text())


def test_other_options_do_not_replace_without_force(run, evaluated, cli):
    data = evaluated[1].path
    words = ["explain", run, data, "--method", "occlusion", "--set", "n_mean=2", "--device", "cpu"]
    before = (run / "explanations" / "occlusion" / "data-test" / "explain.json").read_bytes()
    code, _, err = cli(*words, "--n", 2)
    assert code == 1
    assert "made with other options: n_windows was 1 and is 2; pass --force to replace it" in err
    place = run / "explanations" / "occlusion" / "data-test"
    assert (place / "explain.json").read_bytes() == before
    # The same options may be run again.
    assert cli(*words, "--n", 1)[0] == 0
    code, out, err = cli(*words, "--n", 2, "--force")
    assert code == 0, err
    assert f"written: {place}" in out
    assert read_json(place / "explain.json")["n_windows"] == 2


def test_the_page_is_about_test_of_the_data_it_was_trained_on(run, evaluated):
    chosen = choose_evaluation(run, card_of(run))
    assert chosen.path.name == "data-test"
    assert chosen.is_of(evaluated[1].identity)
    shutil.rmtree(chosen.path)
    assert choose_evaluation(run, card_of(run)).path.name == "data-valid"
    assert choose_evaluation(run, card_of(run), "data-valid").split == "valid"
    with pytest.raises(InputError, match="has no evaluation 'x'; it has data-"):
        choose_evaluation(run, card_of(run), "x")
    for result in find_results(run, EVALUATIONS):
        if result.split != "train":
            shutil.rmtree(result.path)
    with pytest.raises(InputError, match="only the train split was scored"):
        choose_evaluation(run, card_of(run))


def test_the_explanation_is_that_of_the_same_windows(run):
    test, valid = (choose_evaluation(run, card_of(run), f"data-{x}") for x in ("test", "valid"))
    for evaluation, method in ((test, "occlusion"), (valid, "gradcam")):
        found = choose_result(run, EXPLANATIONS, evaluation, ("ig", "gradcam", "occlusion"))
        assert found is not None
        assert (found.split, found.found["method"]) == (evaluation.split, method)
    other = next(r for r in find_results(run, EVALUATIONS) if not r.found["trained_on_this_data"])
    assert choose_result(run, EXPLANATIONS, other) is None
    assert choose_result(run, MOTIFS, test) is None


def test_a_page_says_what_it_is_of_and_is_not_replaced_by_another(run, evaluated, cli):
    code, out, err = cli("report", run)
    assert code == 0, err
    assert "the page is about evaluations/data-test: the test split of" in err
    page = (run / "report.html").read_text()
    assert f"<code>the test split of {evaluated[1].path.resolve()}</code>" in page
    assert "explanations/occlusion/data-test" in page
    assert "scored on data" not in page
    other = next(r for r in find_results(run, EVALUATIONS) if len(r.path.name) > 12)
    code, _, err = cli("report", run, "--evaluation", other.path.name)
    assert code == 1
    assert "is there and is not a page about" in err
    assert (run / "report.html").read_text() == page
    assert cli("report", run)[0] == 0
    out = run / "other.html"
    code, _, err = cli("report", run, "--evaluation", other.path.name, "--out", out)
    assert code == 0, err
    text = out.read_text()
    assert "trained on data, scored on data" in text
    assert "The model was not trained on this dataset (the windows were" in text
    # Nothing is computed unasked.
    assert "Not explained:" in text
    assert len(find_results(run, EXPLANATIONS)) == 2


def test_results_of_0_1_are_read_where_they_lie(run):
    """As that version left them: metrics.json, scores_SPLIT.parquet, explain/ and motifs/."""
    metrics = metrics_of(run, "valid")
    old = {"path": metrics["data"]["path"], "codes_sha256": metrics["data"]["codes_sha256"]}
    evaluation = only_result(run, EVALUATIONS, "valid")
    explanation = run / "explanations" / "gradcam" / "data-valid"
    write_json(run / "metrics.json", {**metrics, "data": old})
    shutil.copy(evaluation / "scores.parquet", run / "scores_valid.parquet")
    shutil.copytree(explanation, run / "explain")
    settings = read_json(run / "explain" / "explain.json")
    write_json(run / "explain" / "explain.json", {**settings, "data": old})
    shutil.rmtree(run / "evaluations")
    shutil.rmtree(run / "explanations")
    (result,) = find_results(run, EVALUATIONS)
    assert result.path == run
    assert result.scores.is_file()
    found = choose_result(run, EXPLANATIONS, result)
    assert found is not None
    assert found.path == run / "explain"
    page = write_report(run).read_text()
    assert f"{metrics['auroc']['value']:.4f}" in page
    assert "From <code>explain: the valid split of" in page


def test_a_damaged_result_is_named(run):
    marker = run / "evaluations" / "data-test" / "metrics.json"
    write_json(marker, {"split": "test"})
    with pytest.raises(InputError, match="does not say what it was made from"):
        find_results(run, EVALUATIONS)
    write_json(marker, {"data": {"path": "x"}})
    with pytest.raises(InputError, match="has no split or no path of its data"):
        find_results(run, EVALUATIONS)


def test_files_that_are_there_are_not_replaced(trained, tmp_path, cli):
    run, data = trained
    del data
    fasta = tmp_path / "w.fa"
    fasta.write_text(">a\n" + "ACGT" * 12 + "\n")
    vcf, track, picture, table = (tmp_path / n for n in ("o.vcf", "o.bw", "o.png", "o.tsv"))
    for path in (vcf, track, picture, table):
        path.write_text("mine")
    for words in (
        ["variants", run, fasta, "--genome", fasta, "--out", vcf],
        ["scan", run, fasta, "--out", track],
        ["scan", run, fasta, "--out", tmp_path / "new.bw", "--peaks", table],
        ["scalogram", "ACGTACGTACGTACGT", "--out", picture],
        ["predict", run, fasta, "--out", table],
        ["export", run, "--onnx", table],
    ):
        code, _, err = cli(*words)
        assert code == 1, words
        assert "exists already; choose another name or pass --force" in err
    assert {p.read_text() for p in (vcf, track, picture, table)} == {"mine"}
    assert cli("scalogram", "ACGTACGTACGTACGT", "--out", picture, "--force")[0] == 0
    assert cli("predict", run, fasta, "--out", table, "--force")[0] == 0
    assert table.read_text().startswith("name\t")
