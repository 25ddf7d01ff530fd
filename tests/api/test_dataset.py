"""Datasets from Python and from the command line."""

from helpers import planted_rows, write_table


def test_a_dataset_whose_audit_was_not_reached_is_told_from_others(tmp_path, cli):
    table = write_table(tmp_path / "w.tsv", planted_rows(6))
    assert cli("dataset", table, "--out", tmp_path / "d")[0] == 0
    (tmp_path / "d" / "audit.json").unlink()
    code, _, err = cli("dataset", table, "--out", tmp_path / "d")
    assert code == 1
    assert "is a whole dataset whose audit is missing" in err
    assert f"'wavebind audit {tmp_path / 'd'}' makes it" in err
    assert cli("audit", tmp_path / "d")[0] == 0
    code, _, err = cli("dataset", table, "--out", tmp_path / "d")
    assert (code, "exists already" in err) == (1, True)
