"""Bad input: a message that names it, exit code 1, and nothing half-written."""

import errno
import os
import resource
import shutil
import subprocess
import sys

import pytest

from helpers import LENGTH, planted_rows, write_table

OK = "A" * LENGTH


def check(result, message, code=1):
    found, out, err = result
    assert found == code, err
    text = " ".join(err.replace("│", " ").split())
    assert message in text
    assert "Traceback" not in err
    assert out == ""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "t.tsv: no such file; check the path"),
        (lambda p: p.touch(), "t.tsv: the file is empty"),
        (lambda p: p.write_text("name\tseq\nx\tACGT\n"), "t.tsv line 1: column label missing"),
        (
            lambda p: write_table(p, [*planted_rows(2), ("chr1", 0, 5, 1, "train", "ACGTA")]),
            "the windows differ in length: 48 bp (12 windows) and 5 bp (1 windows, the first at",
        ),
        (
            lambda p: write_table(
                p,
                [
                    row if row[3] else (row[0], row[1], row[2] - 8, *row[3:5], row[5][8:])
                    for row in planted_rows(5)
                ],
            ),
            "Length alone tells the classes apart with an AUROC of 1.000, which no model may learn",
        ),
        (
            lambda p: write_table(p, [r for r in planted_rows(2) if r[3] == 0]),
            "there is no bound (label 1) window; training needs windows of both classes",
        ),
        (
            lambda p: write_table(p, [r for r in planted_rows(2) if (r[3], r[4]) != (0, "test")]),
            "the test split has no unbound (label 0) window (found: train 2 bound and 2 unbound",
        ),
        (
            lambda p: write_table(
                p, [*planted_rows(2), ("chr1", 0, LENGTH, 1, "train", "A-C" + OK[3:])]
            ),
            "1 letters are not nucleotides ('-'); the first is '-' at",
        ),
    ],
)
def test_bad_tables(cli, tmp_path, make, message):
    table = tmp_path / "t.tsv"
    make(table)
    check(cli("dataset", table, "--out", tmp_path / "d"), message)
    assert not (tmp_path / "d").exists()
    assert [p.name for p in tmp_path.iterdir()] in ([], ["t.tsv"])


def fasta(tmp_path, text):
    (tmp_path / "x.fa").write_text(text)
    return tmp_path / "x.fa"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.fa: the file is empty"),
        ("; nothing\n", "x.fa line 1: found sequence before the first header"),
        ("\n\n", "x.fa: no FASTA record found"),
        (f">a\n{OK}\n>b\nACGT\n", "1 of 2 sequences are not 48 bp long"),
        (
            f">a\n{OK[:-2]}@#\n",
            "2 letters are not nucleotides ('#' '@'); the first is '@' at record 'a'",
        ),
    ],
)
def test_bad_sequences_to_predict(cli, trained, tmp_path, text, message):
    check(cli("predict", trained[0], fasta(tmp_path, text), "--out", tmp_path / "s.tsv"), message)
    assert [p.name for p in tmp_path.iterdir()] == ["x.fa"]


@pytest.mark.parametrize("command", ["evaluate", "explain", "predict", "report"])
def test_a_run_that_is_not_one(cli, trained, tmp_path, command):
    folder = tmp_path / "r"
    rest = {"predict": [fasta(tmp_path, f">a\n{OK}\n")], "report": []}.get(command, [trained[1]])
    missing = "r: no such run; make one with 'wavebind train', or name the model of the package: "
    check(cli(command, folder, *rest), missing + "factors")
    folder.mkdir()
    check(cli(command, folder, *rest), "r: is not a run (it has no run.json)")
    shutil.copy(trained[0] / "run.json", folder)
    check(cli(command, folder, *rest), "has no model.safetensors, so its training has not ended")


def test_a_dataset_that_is_not_one(cli, tmp_path, trained):
    message = "is not a dataset (it has no dataset.json)"
    check(cli("train", tmp_path, "--out", tmp_path / "r"), message)
    check(cli("evaluate", trained[0], tmp_path / "none"), "none: no such folder")


def test_windows_of_another_length(cli, trained, tmp_path):
    table = write_table(tmp_path / "t.tsv", planted_rows(3, length=60))
    assert cli("dataset", table, "--out", tmp_path / "d")[0] == 0
    message = "has windows of 60 bp and"
    check(cli("evaluate", trained[0], tmp_path / "d"), message)
    check(cli("explain", trained[0], tmp_path / "d"), message)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EROFS, "cannot be written: the file system is read-only; write elsewhere"),
        (errno.EACCES, "cannot be written: permission denied"),
    ],
)
def test_an_output_folder_that_is_read_only(
    cli, table, trained, tmp_path, monkeypatch, number, message
):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    check(cli("dataset", table, "--out", tmp_path / "d"), message)
    check(cli("train", trained[1], "--out", tmp_path / "r"), message)
    check(cli("scalogram", "ACGTACGTAA", "--out", tmp_path / "p.png"), message)
    assert not (tmp_path / "d").exists()
    assert not (tmp_path / "r" / "run.json").exists()


def test_a_disk_that_is_full(tmp_path):
    """A real limit on the size of files: the write fails half-way, as on a full disk."""
    table = write_table(tmp_path / "t.tsv", planted_rows(400))
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)); "
        "from wavebind.cli.main import run; sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, "dataset", str(table), "--out", str(tmp_path / "d")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "d: cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["t.tsv"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["dataset", "--out", "d"],
            "give tables, or the settings positives and negatives",
        ),
        (
            ["dataset", "a", "--set", "positives=b", "--out", "d"],
            "give tables, or the settings positives and negatives",
        ),
        (["dataset", "--set", "positives=b", "--out", "d"], "belong together; give both"),
        (["dataset", "a", "--set", "split.test=chr1", "--out", "d"], "belong together; give both"),
        (["dataset", "a"], "Missing option '--out'"),
        (
            ["train", "d", "--out", "r", "--resume", "--force"],
            "--force replaces it; give one of them",
        ),
        (["train", "d", "--out", "r", "--epochs", "x"], "unable to parse string as an integer"),
        (["explain", "r", "d", "--select", "worst"], "explain --select is now --set select=top"),
        (["scalogram", "ACGT", "--out", "p.jpg"], "end the name with .png"),
        (["juggle"], "No such command 'juggle'"),
    ],
)
def test_wrong_command_lines(cli, arguments, message):
    check(cli(*arguments), message, code=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "epochs must be 1 or more; found 0"),
        (
            ["--model", "vgg"],
            "model 'vgg' is not known; choose one of: scalenet, pyramidnet, cnn",
        ),
        (["--device", "tpu9"], "device 'tpu9' is not known"),
    ],
)
def test_settings_that_training_refuses(cli, trained, tmp_path, arguments, message):
    check(cli("train", trained[1], "--out", tmp_path / "r", *arguments), message)
    assert not (tmp_path / "r").exists()


def test_splits_that_are_not(cli, trained):
    check(cli("evaluate", *trained, "--split", "dev"), "split 'dev' is not known")


def test_too_many_panels_and_letters_that_are_not(cli, tmp_path):
    text = "".join(f">s{i}\nACGTACGT\n" for i in range(65))
    check(
        cli("scalogram", fasta(tmp_path, text), "--out", tmp_path / "p.png"), "holds 65 sequences"
    )
    check(
        cli("scalogram", "HELLOWORLD", "--out", tmp_path / "p.png"), "letters are not nucleotides"
    )
    check(cli("scalogram", "no/such.fa", "--out", tmp_path / "p.png"), "no such file")


@pytest.mark.parametrize(
    ("command", "again"),
    [("train", "wavebind train d --out r --resume"), ("run", "wavebind run d --out r")],
)
def test_what_goes_on_is_named_with_options_that_the_command_has(capsys, command, again):
    from wavebind.cli.main import _stopped
    from wavebind.core.errors import Interrupted

    stopped = Interrupted("two epochs are kept", "--resume")
    assert _stopped(stopped, [command, "d", "--out", "r"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == f"go on with: {again}"
