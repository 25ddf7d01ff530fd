"""The commands, end to end, by the numbers that come out."""

import re
import resource
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from helpers import LENGTH, MOTIF, metrics_of, only_result, planted_rows, write_table
from wavebind.cli.options import MOVED
from wavebind.datasets.dataset import open_dataset
from wavebind.genome.sequences import to_codes
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits
from wavebind.models.results import EVALUATIONS, EXPLANATIONS

COMMANDS = [
    "demo",
    "fetch",
    "dataset",
    "audit",
    "train",
    "evaluate",
    "predict",
    "explain",
    "scalogram",
    "report",
    "recipes",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cli, command):
    code, out, _ = cli(command, "--help")
    assert code == 0
    assert f"Example: wavebind {command}" in " ".join(out.split())


def test_help_lists_every_command_and_needs_no_heavy_import(cli):
    code, out, _ = cli("--help")
    assert code == 0
    assert all(command in out for command in COMMANDS)
    probe = (
        "import sys; from wavebind.cli.main import run; run(['--help']); "
        "heavy = {'torch', 'numpy', 'matplotlib', 'lightning', 'optuna', 'sklearn', 'pyarrow'}; "
        "heavy.add('pydantic'); "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_settings_are_listed_with_their_defaults(cli):
    from wavebind.training.train import TrainingConfig

    code, out, _ = cli("train", "--settings")
    assert code == 0
    config = TrainingConfig()
    for name in ("epochs", "seed", "batch_size", "learning_rate", "unbound_ratio", "max_shift"):
        assert re.search(rf"^training\.{name}={getattr(config, name)} +\w", out, re.M), name
    # Those of the recipe that is named.
    _, out, _ = cli("train", "--recipe", "small", "--settings")
    assert "training.batch_size=32 " in out
    assert ":func:" not in out
    assert "`" not in out


def commands():
    """Every command, with the lines of its help that show an option."""
    import typer

    from wavebind.cli.main import app

    found = typer.main.get_command(app)
    return found.commands


@pytest.mark.parametrize("name", sorted(commands()))
def test_a_command_has_at_most_twelve_visible_options(name, cli):
    options = [
        parameter
        for parameter in commands()[name].params
        if parameter.param_type_name == "option" and not parameter.hidden
    ]
    assert len(options) <= 12
    _, out, _ = cli(name, "--help")
    shown = re.findall(r"^│ \*?\s*(--[a-z-]+)", out, re.M)
    assert len(set(shown) - {"--help"}) == len(options) <= 12


@pytest.mark.parametrize("name", sorted(commands()))
def test_help_makes_sense(name):
    """No sentence of more than 25 words; none that leans on the name of the option."""
    command = commands()[name]
    texts = [command.help, *(parameter.help for parameter in command.params)]
    for text in texts:
        plain = re.sub(r"\(default: [^)]*\)", "", text or "")
        for sentence in re.split(r"[.;:?!]\s|\n\n", plain):
            assert len(sentence.split()) <= 25, sentence
        assert not (text or "").startswith(("Of ", "Its ", "Only ", "Instead")), text


@pytest.mark.parametrize(
    ("command", "old", "new"),
    [
        (command, old, new)
        for command, spellings in sorted(MOVED.items())
        for old, new in sorted(spellings.items())
    ],
)
def test_an_old_spelling_answers_with_the_new_one(command, old, new, cli):
    code, out, err = cli(command, "x", old, "1")
    assert (code, out) == (2, "")
    assert err == f"wavebind: error: {command} {old} is now {new}\n"
    if new.startswith("--set"):
        _, listed, _ = cli(command, "--settings")
        for name in re.findall(r"--set ([a-z_.]+)=", new):
            assert re.search(rf"^{re.escape(name)}=", listed, re.M), name
    elif new.startswith("--"):
        known = [o for p in commands()[command].params for o in getattr(p, "opts", [])]
        assert new.split()[0] in known


@pytest.mark.parametrize(
    "command", ["dataset", "explain", "scalogram", "scan", "train", "tune", "variants"]
)
def test_a_setting_explains_itself(command, cli):
    code, out, _ = cli(command, "--settings")
    assert code == 0
    for line in out.splitlines():
        _, _, meaning = line.partition(" ")
        assert len(meaning.split()) >= 3, line
        # No reader of this list has the code at hand.
        assert not re.search(r"\b[Ss]ee \w*_\w*|`|:data:|:func:", meaning), line


def test_a_wrong_setting_answers_with_the_nearest_right_one(cli, trained, tmp_path):
    for wrong, right in (
        ("learning_rate=1e-3", "training.learning_rate"),
        ("training.learningrate=1e-3", "training.learning_rate"),
        ("option.dropout=0", "options.dropout"),
    ):
        code, _, err = cli("train", trained[1], "--out", tmp_path / "r", "--set", wrong)
        assert code == 2
        assert f"there is no setting '{wrong.partition('=')[0]}'; did you mean '{right}'?" in err
    code, _, err = cli("train", trained[1], "--out", tmp_path / "r", "--set", "training.epochs")
    assert code == 2
    assert "'training.epochs': give a setting as NAME=VALUE" in err
    code, _, err = cli("train", trained[1], "--out", tmp_path / "r", "--set", "training.clip=0")
    assert code == 1
    assert "clip must be above 0; found 0" in err
    assert not (tmp_path / "r").exists()


def test_version(cli):
    from wavebind.core.versions import version

    assert cli("--version") == (0, f"wavebind {version()}\n", "")


def test_dataset_says_what_it_did(cli, tmp_path):
    rows = planted_rows(4)
    rows.append(rows[0])
    table = write_table(tmp_path / "t.tsv.gz", rows)
    code, out, _ = cli("dataset", table, "--out", tmp_path / "d")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["24", "windows", "of", "48", "bp"]
    assert ["train", "4", "4"] in lines
    assert ["test", "4", "4"] in lines
    assert "dropped: 1 (same sequence (either strand) as an earlier window of its class)" in out
    assert (open_dataset(tmp_path / "d").parts == "test").sum() == 8


def test_dataset_from_two_fasta_files(cli, tmp_path):
    rows = planted_rows(4)
    for label, name in ((1, "p.fa"), (0, "n.fa")):
        text = "".join(f">{r[0]}:{r[1]}-{r[2]}\n{r[5]}\n" for r in rows if r[3] == label)
        (tmp_path / name).write_text(text)
    arguments = [
        "--set",
        f"positives={tmp_path / 'p.fa'}",
        "--set",
        f"negatives={tmp_path / 'n.fa'}",
    ]
    arguments += ["--set", "split.test=chr1", "--set", "split.valid=2", "--out", tmp_path / "d"]
    assert cli("dataset", *arguments)[0] == 0
    data = open_dataset(tmp_path / "d")
    assert set(data.chrom[data.indices("test")]) == {"chr1"}
    assert set(data.chrom[data.indices("valid")]) == {"chr2"}
    assert data.labels.sum() == 12
    assert data.description["settings"]["split"] == {"test": ["chr1"], "valid": ["2"]}


def test_evaluate_prints_what_it_writes(cli, run_copy):
    run, data = run_copy
    code, out, _ = cli("evaluate", run, data, "--device", "cpu")
    assert code == 0
    metrics = metrics_of(run)
    printed = {line.split()[0]: line.split()[1] for line in out.splitlines() if line.strip()}
    for name in ("auroc", "auprc", "accuracy", "precision", "recall", "f1", "mcc"):
        assert printed[name] == f"{metrics[name]['value']:.4f}"
        assert set(metrics[name]) == {"value", "low", "high"}
    assert printed["shortcut"] == f"{metrics['best_shortcut']['value']:.4f}"
    assert printed["floor"] == f"{metrics['calibration_floor']['value']:.4f}"
    assert "300 windows of the test split, 150 bound" in out
    assert cli("evaluate", run, data, "--split", "valid", "--device", "cpu")[0] == 0
    assert metrics_of(run, "valid")["split"] == "valid"


def test_predict(cli, run_copy, tmp_path):
    run, _ = run_copy
    rng = np.random.default_rng(0)
    plain = "".join(rng.choice(list("ACGT"), LENGTH))
    bound = plain[:10] + MOTIF + plain[10 + len(MOTIF) :]
    unknown = "N" * 10 + plain[10:]
    fasta = tmp_path / "x.fa"
    fasta.write_text(f">plain\n{plain}\n>bound x\n{bound[:30]}\n{bound[30:]}\n>gap\n{unknown}\n")
    code, out, err = cli("predict", run, fasta, "--device", "cpu")
    assert code == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert rows[0] == ["name", "probability", "logit"]
    assert [r[0] for r in rows[1:]] == ["plain", "bound", "gap"]
    model, card = load_model(run / "model.safetensors")
    logits = predict_logits(model, np.stack([to_codes(plain), to_codes(bound)]))
    for row, logit in zip(rows[1:3], logits, strict=True):
        assert float(row[2]) == pytest.approx(logit, rel=1e-4)
        assert float(row[1]) == pytest.approx(float(card.probabilities(logit)), rel=1e-4)
    assert float(rows[2][2]) > float(rows[1][2]) + 1
    assert rows[3] == ["gap", "NA", "NA"]
    assert "1 of 3 sequences have more than 10 % unknown bases" in err
    code, out, _ = cli("predict", run, fasta, "--out", tmp_path / "s.tsv", "--device", "cpu")
    assert out == ""
    assert (tmp_path / "s.tsv").read_text().splitlines() == ["\t".join(r) for r in rows]
    # A pipe is read once.
    code = "import sys; from wavebind.cli.main import run; sys.exit(run(sys.argv[1:]))"
    arguments = [sys.executable, "-c", code, "predict", run, "/dev/stdin", "--device", "cpu"]
    piped = subprocess.run(arguments, input=fasta.read_bytes(), capture_output=True, check=True)
    assert piped.stdout.decode() == (tmp_path / "s.tsv").read_text()


def test_explain_and_report(cli, run_copy):
    run, data = run_copy
    code, out, _ = cli("explain", run, data, "--n", "3", "--device", "cpu")
    assert code == 0
    assert "3 windows explained by ig; the mean score of 150 bound windows peaks at base" in out
    assert len(list(only_result(run, EXPLANATIONS).glob("*.png"))) == 5
    assert cli("evaluate", run, data, "--device", "cpu")[0] == 0
    code, out, _ = cli("report", run)
    assert code == 0
    assert out == f"written: {run / 'report.html'}\n"


@pytest.mark.parametrize("output", ["modulus", "real", "phase", "squeezed"])
def test_scalogram_of_letters(cli, tmp_path, output):
    from PIL import Image

    out = tmp_path / "p.png"
    code, _, _ = cli("scalogram", "TTGACCACCAGGGGGCGCTAATG", "--out", out, "--show", output)
    assert code == 0
    with Image.open(out) as image:
        assert image.size[0] > 500
        assert len(image.convert("RGB").resize((64, 64)).getcolors(4096)) > 50


def test_scalogram_of_a_file(cli, tmp_path):
    from PIL import Image

    (tmp_path / "x.fa").write_text(">a\n" + "ACGTTGCA" * 10 + "\n>b\n" + "AATTGGCC" * 9 + "\n")
    arguments = [tmp_path / "x.fa", "--set", "encoding=integer", "--set", "n_scales=20"]
    assert cli("scalogram", *arguments, "--out", tmp_path / "p.png")[0] == 0
    assert cli("scalogram", *arguments, "--columns", "2", "--out", tmp_path / "q.png")[0] == 0
    assert cli("scalogram", *arguments, "--out", tmp_path / "p.gif")[0] == 0
    with Image.open(tmp_path / "p.png") as tall, Image.open(tmp_path / "q.png") as wide:
        assert tall.size[1] > wide.size[1]
        assert tall.size[0] < wide.size[0]
    with Image.open(tmp_path / "p.gif") as film:
        assert film.n_frames == 2


def test_a_film_of_scalograms_has_one_scale(tmp_path, monkeypatch):
    from wavebind.api import scalogram
    from wavebind.report.plots import draw_scalograms

    ends = []

    def drawn(*arguments, **options):
        figure = draw_scalograms(*arguments, **options)
        ends.append(figure.axes[0].collections[0].get_clim())
        return figure

    monkeypatch.setattr(scalogram, "draw_scalograms", drawn)
    (tmp_path / "x.fa").write_text(">a\n" + "ACGTTGCA" * 10 + "\n>b\n" + "AATTGGCC" * 9 + "\n")
    scalogram.draw_scalogram(tmp_path / "x.fa", tmp_path / "p.gif")
    for name, letters in (("a", "ACGTTGCA" * 10), ("b", "AATTGGCC" * 9)):
        scalogram.draw_scalogram(letters, tmp_path / f"{name}.png")
    assert ends[0] == ends[1]
    assert ends[0] == max(ends[2:])
    assert ends[2] != ends[3]


def test_scalogram_by_recipe_and_options(cli, tmp_path):
    arguments = ["scalogram", "ACGTTGCAACGGTTTACGACGATTTACGAC", "--out"]
    pictures = []
    for i, options in enumerate(
        (
            [],
            ["--recipe", "ruggeri2025"],
            ["--set", "voices=3"],
            ["--set", "padding=periodic"],
            ["--set", "spacing=frequencies"],
        )
    ):
        path = tmp_path / f"{i}.png"
        assert cli(*arguments, path, *options)[0] == 0
        pictures.append(path.read_bytes())
    assert len(set(pictures)) == 5


def test_resume_of_a_finished_run(cli, run_copy):
    run, data = run_copy
    before = (run / "model.safetensors").read_bytes()
    code, out, err = cli("train", data, "--out", run, "--resume")
    assert code == 0
    assert "training has ended already" in err
    assert out.startswith("kept epoch ")
    assert (run / "model.safetensors").read_bytes() == before


def test_the_program_itself(tmp_path):
    """As a user starts it: messages on stderr, exit code, no traceback, quickly."""
    program = [sys.executable, "-c", "from wavebind.cli.main import main; main()"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*program, "--help"], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    # Half a second is the aim. Seconds of a processor, which other work does not make longer.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5
    done = subprocess.run(
        [*program, "predict", tmp_path / "no", tmp_path / "x.fa"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("wavebind: error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_auroc_against_each_background(cli, run_copy, tmp_path):
    rows = [
        (*row, "bound" if row[3] else ("near", "far")[i % 3 == 0])
        for i, row in enumerate(planted_rows(60, seed=9))
    ]
    header = "chrom\tstart\tend\tlabel\tsplit\tseq\tsource"
    table = write_table(tmp_path / "t.tsv", rows, header)
    assert cli("dataset", table, "--out", tmp_path / "d")[0] == 0
    code, out, err = cli("evaluate", run_copy[0], tmp_path / "d")
    assert code == 0, err
    metrics = metrics_of(run_copy[0])
    data = open_dataset(tmp_path / "d")
    scores = pq.read_table(only_result(run_copy[0], EVALUATIONS) / "scores.parquet").to_pandas()
    source = data.source[scores["index"]]
    assert set(metrics["auroc_by_background"]) == {"near", "far"}
    for kind, found in metrics["auroc_by_background"].items():
        mine = (scores["label"] == 1) | (source == kind)
        expected = roc_auc_score(scores["label"][mine], scores["logit"][mine])
        assert found["value"] == pytest.approx(expected)
        assert found["n_windows"] == mine.sum()
        assert f"(against {kind} windows alone)" in out
    assert cli("report", run_copy[0])[0] == 0
    assert "Against each background" in (run_copy[0] / "report.html").read_text()


def test_commands_say_what_comes_next(tmp_path, table, run_copy, cli):
    """On stderr, and the command that is named exists with these arguments."""
    _, out, err = cli("dataset", table, "--out", tmp_path / "d")
    assert f"next: wavebind train {tmp_path / 'd'} --out {tmp_path / 'd'}-run" in err
    assert "next:" not in out
    run, data = run_copy
    _, out, err = cli("evaluate", run, data)
    assert f"next: wavebind motifs {run} {data}" in err
    _, out, err = cli("explain", run, data, "--n", 1, "--set", "n_mean=2", "--method", "occlusion")
    assert f"next: wavebind report {run}" in err
    assert "next:" not in out
