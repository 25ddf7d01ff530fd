"""Variants: every score against a reimplementation that edits letters and predicts."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysam
import pytest

from genome_files import bgzip, fasta_text, random_genome
from helpers import LENGTH, MOTIF
from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import write_json
from wavebind.core.shards import Shard
from wavebind.core.workers import WorkerPool
from wavebind.genome.sequences import to_codes
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits
from wavebind.variants.score import merge_variants, score_variants
from wavebind.variants.settings import VariantConfig, VariantJob

CLI = Callable[..., tuple[int, str, str]]
HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
HERE = WorkerPool(1)
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def genome(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    letters = random_genome(4, {"chr1": 5000, "chr2": 900})
    for at in (600, 3000):
        letters["chr1"] = letters["chr1"][:at] + MOTIF + letters["chr1"][at + len(MOTIF) :]
    path = tmp_path / "g.fa"
    path.write_text(fasta_text(letters))
    return path, letters


def write_vcf(path: Path, rows: list[tuple], head: str = HEAD) -> Path:
    lines = ["\t".join(map(str, row)) for row in rows]
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def record(letters: str, position: int, n: int, alt: str, name: str = "1") -> tuple:
    """A record whose REF is what the genome has at a 1-based position."""
    ref = letters[position - 1 : position - 1 + n].upper()
    return (name, position, ".", ref, alt, ".", "PASS", ".")


def other_base(letter: str) -> str:
    return {"A": "C", "C": "G", "G": "T", "T": "A", "N": "A"}[letter.upper()]


@pytest.fixture
def rows(genome: tuple) -> list[tuple]:
    """Substitutions, insertions, deletions, several ALTs, near the ends and in N."""
    one, two = genome[1]["chr1"], genome[1]["chr2"]
    found = [record(one, p, 1, other_base(one[p - 1])) for p in (40, 605, 608, 611, 900, 2500)]
    found.append(record(one, 606, 1, one[605].upper() + "ACGTTT"))
    found.append(record(one, 3001, 9, one[3000].upper()))
    found.append(record(one, 3003, 3, "TTA"))
    found.append(record(one, 4000, 1, f"{other_base(one[3999])},<DEL>,{one[3999].upper()}GG,*"))
    found.append(record(one, 4990, 1, other_base(one[4989])))
    found.append(record(one, 1700, 1, "A"))
    found.append(record(two, 100, 1, other_base(two[99]), "chr2"))
    return found


def one_form(text: str, at: int, ref: str, alt: str) -> tuple[int, str, str]:
    """The leftmost of all replacements without shared ends that give the same sequence."""
    edited = text[:at] + alt + text[at + len(ref) :]
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        ref, alt, at = ref[1:], alt[1:], at + 1
    while at and not (ref and alt):
        before, after = text[at - 1 :][: len(ref)], edited[at - 1 :][: len(alt)]
        if text[: at - 1] + after + text[at - 1 + len(ref) :] != edited:
            break
        at, ref, alt = at - 1, before, after
    return at, ref, alt


def naive_scores(
    run: Path, letters: dict[str, str], chrom: str, position: int, ref: str, alt: str, step: int
) -> tuple[float, ...]:
    """Highest logit of the windows that see either allele, and logit of those centred on it."""
    model, _ = load_model(run / "model.safetensors")
    found = []
    text = "N" * 200 + letters[chrom].upper() + "N" * 200
    at, ref, alt = one_form(text, 200 + position - 1, ref, alt)
    for allele in (ref, alt):
        edited = text[:at] + allele + text[at + len(ref) :]
        centred = at + len(allele) // 2 - LENGTH // 2
        logits = {}
        for start in range(at - LENGTH + 1, at + len(allele)):
            window = edited[start : start + LENGTH]
            if (start - centred) % step == 0 and window.upper().count("N") <= 0.1 * LENGTH:
                logits[start] = float(predict_logits(model, to_codes(window)[None], bf16=False)[0])
        found.append((max(logits.values(), default=np.nan), logits.get(centred, np.nan)))
    (ref_max, ref_mid), (alt_max, alt_mid) = found
    return ref_max, alt_max, ref_mid, alt_mid


def scored(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    lines = path.read_text().splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]


def job_of(run: Path, vcf: Path, genome: Path, out: Path, **options: object) -> VariantJob:
    motifs = options.pop("motifs", None)
    config = VariantConfig(**{"n_null": 30, **options})
    return VariantJob(str(run), str(vcf), str(genome), str(out), motifs=motifs, config=config)


def test_every_score_is_that_of_the_edited_sequence(
    trained: tuple[Path, Path], genome: tuple, rows: list, tmp_path: Path
) -> None:
    path, letters = genome
    vcf = write_vcf(tmp_path / "in.vcf", rows)
    out = tmp_path / "out.tsv"
    job = job_of(trained[0], vcf, path, out, step=7, null="none", motifs="MA0139.1")
    summary = score_variants(job, pool=HERE)
    assert summary is not None
    table = scored(out)
    assert len(table) == 13 + 3 == summary.n_alleles
    done = 0
    for row in table:
        chrom = "chr" + row["chrom"].removeprefix("chr")
        if row["status"] != "scored":
            continue
        done += 1
        names = ("ref_logit", "alt_logit", "ref_centred", "alt_centred")
        ours = [np.nan if row[name] == "." else float(row[name]) for name in names]
        theirs = naive_scores(
            trained[0], letters, chrom, int(row["position"]), row["ref"], row["alt"], 7
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-3)
        assert float(row["difference"]) == pytest.approx(ours[1] - ours[0], abs=1e-3)
        assert row["motif"] == "MA0139.1_CTCF"
    assert done == summary.n_scored
    status = {(r["position"], r["alt"]): r["status"] for r in table}
    assert status["4000", "<DEL>"] == "no_end"
    assert status["4000", "*"] == "star"
    assert status["1700", "A"] == "unknown_bases"
    assert done == len(table) - 3
    assert sum(summary.verdicts.values()) == done


def test_motif_hits_cover_the_allele(
    trained: tuple[Path, Path], genome: tuple, rows: list, tmp_path: Path
) -> None:
    """Against a loop over all placements that touch the allele, both strands."""
    from wavebind.genome.sequences import reverse_complement
    from wavebind.motifs.jaspar import find_motif

    path, letters = genome
    vcf = write_vcf(tmp_path / "in.vcf", rows)
    out = tmp_path / "out.tsv"
    score_variants(job_of(trained[0], vcf, path, out, null="none", motifs="CTCF"), pool=HERE)
    motif = find_motif("CTCF")
    odds = np.hstack([motif.log_odds(), np.zeros((motif.width, 1))])
    n = 0
    for row in scored(out):
        if row["status"] != "scored":
            continue
        n += 1
        for allele, column in ((row["ref"], "ref_hit"), (row["alt"], "alt_hit")):
            text = letters["chr" + row["chrom"].removeprefix("chr")]
            at = int(row["position"]) - 1
            edited = "N" * 60 + text[:at] + allele + text[at + len(row["ref"]) :] + "N" * 60
            best = -np.inf
            for start in range(60 + at - motif.width + 1, 60 + at + len(allele)):
                site = to_codes(edited[start : start + motif.width])
                for codes in (site, reverse_complement(site)):
                    best = max(best, odds[np.arange(motif.width), codes].sum())
            assert float(row[column]) == pytest.approx(best, rel=1e-3, abs=1e-3)
    assert n > 8


def test_the_vcf_keeps_every_record_and_is_valid(
    trained: tuple[Path, Path], genome: tuple, rows: list, tmp_path: Path
) -> None:
    path, _ = genome
    head = HEAD.replace("\n#", '\n##INFO=<ID=AF,Number=A,Type=Float,Description="x">\n#')
    vcf = write_vcf(tmp_path / "in.vcf", rows, head)
    out = tmp_path / "out.vcf.gz"
    summary = score_variants(job_of(trained[0], vcf, path, out, motifs="CTCF"), pool=HERE)
    assert summary is not None
    with pysam.VariantFile(str(out)) as file:
        assert set(file.header.contigs) == {"1", "chr2"}
        records = list(file)
    assert len(records) == len(rows)
    n_scored = 0
    for found, row in zip(records, rows, strict=True):
        assert (found.chrom, found.pos, found.ref) == (row[0], row[1], row[3])
        assert found.alts == tuple(row[4].split(","))
        if "WB_DIFF" not in found.info:
            continue
        assert len(found.info["WB_DIFF"]) == len(found.alts)
        for before, after, difference, p, verdict in zip(
            *(found.info[k] for k in ("WB_REF", "WB_ALT", "WB_DIFF", "WB_P", "WB_VERDICT")),
            strict=True,
        ):
            if before is None:
                continue
            n_scored += 1
            assert difference == pytest.approx(after - before, abs=1e-3)
            assert 0.0322 <= p <= 1
            assert verdict in ("creates", "strengthens", "weakens", "destroys", "unchanged", "none")
    assert n_scored == summary.n_scored
    # Scored again, the entries are replaced, not doubled.
    twice = tmp_path / "twice.vcf"
    score_variants(job_of(trained[0], out, path, twice, motifs="CTCF"), pool=HERE)
    text = twice.read_text()
    assert text.count("##INFO=<ID=WB_DIFF") == 1
    assert all(line.count("WB_DIFF=") <= 1 for line in text.splitlines())


@pytest.mark.skipif(shutil.which("bcftools") is None, reason="bcftools is not installed")
def test_bcftools_reads_the_output(
    trained: tuple[Path, Path], genome: tuple, rows: list, tmp_path: Path
) -> None:
    vcf = write_vcf(tmp_path / "in.vcf", rows)
    out = tmp_path / "out.vcf.gz"
    score_variants(job_of(trained[0], vcf, genome[0], out, null="none"), pool=HERE)
    command = ["bcftools", "query", "-f", "%POS %INFO/WB_DIFF\n", str(out)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stderr == ""
    assert len(found.stdout.splitlines()) == len(rows)


def test_a_site_made_and_broken(trained: tuple[Path, Path], genome: tuple, tmp_path: Path) -> None:
    """Inserting the motif makes a site, deleting it breaks one, and far away nothing happens."""
    path, letters = genome
    one = letters["chr1"]
    made = record(one, 2600, 1, one[2599].upper() + MOTIF)
    broken = record(one, 600, 1 + len(MOTIF), one[599].upper())
    vcf = write_vcf(tmp_path / "in.vcf", [broken, made])
    out = tmp_path / "out.tsv"
    # Shuffles of an inserted motif are much like it, so chance does well here.
    job = job_of(trained[0], vcf, path, out, step=2, n_null=100, alpha=0.2)
    score_variants(job, pool=HERE)
    first, second = scored(out)
    assert float(first["difference"]) < 0 < float(second["difference"])
    assert second["verdict"] in ("creates", "strengthens")
    assert first["verdict"] in ("destroys", "weakens")
    assert float(second["p"]) <= 0.2


def test_the_null_of_common_variants(
    trained: tuple[Path, Path], genome: tuple, rows: list, tmp_path: Path
) -> None:
    """With the file as its own null, p-values are ranks of the differences."""
    path, _ = genome
    vcf = write_vcf(tmp_path / "in.vcf", rows[:5])
    out = tmp_path / "out.tsv"
    job = job_of(trained[0], vcf, path, out, null=str(vcf), n_null=20)
    score_variants(job, pool=HERE)
    table = scored(out)
    differences = np.abs([float(r["difference"]) for r in table])
    for row, mine in zip(table, differences, strict=True):
        # Each of the five stands in the null four times.
        wanted = (1 + 4 * (differences >= mine).sum()) / 21
        assert float(row["p"]) == pytest.approx(wanted, abs=1e-4)


def test_haplotypes(trained: tuple[Path, Path], genome: tuple, tmp_path: Path) -> None:
    path, letters = genome
    one = letters["chr1"]
    head = HEAD + "\tFORMAT\tX\tY"
    places = [(2600, "0|1"), (2605, "0|1"), (2610, "1|0"), (2615, "1/1"), (2620, "0/1")]
    rows = [
        (*record(one, p, 1, other_base(one[p - 1])), "GT", "0|0", genotype)
        for p, genotype in places
    ]
    vcf = write_vcf(tmp_path / "in.vcf", rows, head)
    out = tmp_path / "out.tsv"
    job = job_of(trained[0], vcf, path, out, null="none", haplotypes=True, sample="Y", step=5)
    score_variants(job, pool=HERE)
    table = scored(out)

    def with_alts(*positions: int) -> dict[str, str]:
        edited = one
        for p in positions:
            edited = edited[: p - 1] + other_base(one[p - 1]) + edited[p:]
        return {"chr1": edited}

    # What lies on the haplotype of each record's ALT; homozygous alleles lie on both.
    for row, neighbours in zip(
        table, [(2605, 2615), (2600, 2615), (2615,), (), (2615,)], strict=True
    ):
        theirs = naive_scores(
            trained[0], with_alts(*neighbours), "chr1", int(row["position"]), row["ref"],
            row["alt"], 5,
        )  # fmt: skip
        ours = [float(row[k]) for k in ("ref_logit", "alt_logit", "ref_centred", "alt_centred")]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-3)


def _job_in_small_chunks(
    run: Path, genome: Path, rows: list, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], VariantJob]:
    monkeypatch.setattr("wavebind.variants.plan.RECORDS_A_CHUNK", 4)
    monkeypatch.setattr("wavebind.variants.score.RECORDS_A_CHUNK", 4)
    vcf = write_vcf(folder / "in.vcf", rows)
    return lambda name: job_of(run, vcf, genome, folder / name, step=15)


def _without_the_job(path: Path) -> str:
    return re.sub(r"; job \w+", "", path.read_text())


def test_the_same_bytes_whoever_does_the_work(
    trained: tuple[Path, Path], genome: tuple, rows: list, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    job = _job_in_small_chunks(trained[0], genome[0], rows, tmp_path, monkeypatch)
    score_variants(job("one.vcf"), pool=WorkerPool(2))
    for i in (2, 1, 3):
        assert score_variants(job("two.vcf"), pool=HERE, shard=Shard(i, 3)) is None
        if i != 3:
            with pytest.raises(InputError, match="is not done yet; run the missing shards"):
                merge_variants(job("two.vcf"))
    merge_variants(job("two.vcf"))
    assert _without_the_job(tmp_path / "one.vcf") == _without_the_job(tmp_path / "two.vcf")


@pytest.mark.slow
def test_the_same_bytes_from_one_process_and_from_dask(
    trained: tuple[Path, Path], genome: tuple, rows: list, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    distributed = pytest.importorskip("distributed")
    job = _job_in_small_chunks(trained[0], genome[0], rows, tmp_path, monkeypatch)
    score_variants(job("one.vcf"), pool=WorkerPool(1))
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        # Any free port: without a dashboard the server would still want 8787, as another test may.
        dashboard_address="127.0.0.1:0",
        local_directory=str(tmp_path / "dask"),
        silence_logs=50,
    ) as cluster:
        score_variants(job("two.vcf"), pool=WorkerPool(dask=cluster.scheduler_address))
    assert _without_the_job(tmp_path / "one.vcf") == _without_the_job(tmp_path / "two.vcf")


def test_another_build_is_refused(
    trained: tuple[Path, Path], genome: tuple, tmp_path: Path, cli: CLI
) -> None:
    path, letters = genome
    one = letters["chr1"]
    wrong = [
        ("chr1", p, ".", other_base(one[p - 1]), "AAA", ".", ".", ".") for p in range(10, 400, 10)
    ]
    right = [record(one, p, 1, "ACA", "chr1") for p in range(500, 640, 10)]
    out = tmp_path / "o.vcf"
    vcf = write_vcf(tmp_path / "in.vcf", wrong + right)
    code, _, err = cli("variants", trained[0], vcf, "--genome", path, "--out", out)
    assert code == 1
    assert re.search(
        r"REF differs from .* in 39 of 53 records, the first at line 3; wrong genome "
        r"build\?",
        err,
    )
    assert not out.exists()
    assert not (tmp_path / "o.vcf.parts").exists()
    # A few wrong ones are counted, and left as they are.
    vcf = write_vcf(tmp_path / "few.vcf", [*wrong[:3], *right])
    code, _, err = cli(
        "variants", trained[0], vcf, "--genome", path, "--out", out, "--null", "none",
        "--workers", 1,
    )  # fmt: skip
    assert code == 0
    assert "left out: 3 alleles of records whose REF is not what the genome has" in err
    lines = out.read_text().splitlines()
    assert "\t".join(map(str, wrong[0])) in lines
    assert f"{len(right)} of {3 + len(right)} alleles of {3 + len(right)} records scored" in err


def test_odd_records_are_kept_and_counted(
    trained: tuple[Path, Path], genome: tuple, tmp_path: Path, cli: CLI
) -> None:
    path, letters = genome
    one = letters["chr1"]
    rows = [
        record(one, 900, 1, other_base(one[899])),
        record(one, 700, 1, other_base(one[699])),
        ("1", 9000, ".", "A", "C", ".", ".", "."),
        ("1", 0, ".", "A", "C", ".", ".", "."),
        ("7", 10, ".", "A", "C", ".", ".", "."),
        record(one, 800, 1, "A" * 1000),
        record(one, 850, 1, "A" * 90),
        record(one, 860, 1, "."),
        record(one, 870, 1, one[869].upper()),
    ]
    vcf = write_vcf(tmp_path / "in.vcf", rows)
    out = tmp_path / "o.tsv"
    code, _, err = cli(
        "variants", trained[0], vcf, "--genome", path, "--out", out, "--null", "none",
        "--set", "max_allele=100", "--workers", 1,
    )  # fmt: skip
    assert code == 0
    assert [row["status"] for row in scored(out)] == [
        "scored", "scored", "beyond_chromosome", "beyond_chromosome", "no_chromosome", "too_long",
        "scored", "no_alt", "same",
    ]  # fmt: skip
    assert "3 of 8 alleles of 9 records scored" in err
    assert "left out: 2 alleles beyond the end of their chromosome" in err
    assert "the records are not sorted (line 4 is the first out of order)" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "step=0"], "step must be 1 or more; found 0"),
        (["--set", "step=99"], "a step of 99 bp is longer than a window, 48 bp"),
        (["--set", "n_null=5"], "n_null must be 19 or more"),
        (["--set", "alpha=2"], "alpha must be below 1"),
        (["--null", "none.vcf"], r"none\.vcf: no such file"),
        (["--set", "haplotypes=true"], "has no samples, so no haplotypes"),
        (["--set", "sample=X"], "add --set haplotypes=true"),
        (["--motif", "NOPE"], "motif 'NOPE' is not in JASPAR"),
        (["--motif", "no/such.meme"], "no such file"),
        (["--set", "prevalence=0"], "a prevalence lies between 0 and 1"),
    ],
)
def test_bad_options(
    trained: tuple[Path, Path], genome: tuple, rows: list, tmp_path: Path, cli: CLI,
    options: list, message: str,
) -> None:  # fmt: skip
    vcf = write_vcf(tmp_path / "in.vcf", rows)
    out = tmp_path / "o.vcf"
    code, _, err = cli("variants", trained[0], vcf, "--genome", genome[0], "--out", out, *options)
    assert code == 1
    assert re.search(message, err), err
    assert not out.exists()


def test_bad_inputs(
    trained: tuple[Path, Path], genome: tuple, rows: list, tmp_path: Path, cli: CLI
) -> None:
    def err(vcf: Path, *options: object) -> str:
        arguments = (
            "variants",
            trained[0],
            vcf,
            "--genome",
            genome[0],
            "--out",
            tmp_path / "o.vcf",
        )
        code, _, text = cli(*arguments, "--workers", 1, *options)
        assert code == 1
        assert "Traceback" not in text
        return text

    bare = tmp_path / "bare.vcf"
    bare.write_text("1\t10\t.\tA\tC\t.\t.\t.\n")
    assert "has no VCF header" in err(bare)
    assert "holds no record" in err(write_vcf(tmp_path / "none.vcf", []).rename(tmp_path / "n.vcf"))
    alien = write_vcf(tmp_path / "alien.vcf", [("X9", 5, ".", "A", "C", ".", ".", ".")])
    assert "none of its chromosomes (X9) is in" in err(alien)
    cut = tmp_path / "cut.vcf.gz"
    cut.write_bytes(bgzip((HEAD + "\n").encode())[:-28])
    assert "the file is truncated" in err(cut)
    head = HEAD + "\tFORMAT\tS"
    unsorted = write_vcf(
        tmp_path / "u.vcf", [(*row, "GT", "0|1") for row in (rows[3], rows[0])], head
    )
    assert "lies before the record above it; haplotypes need a sorted file" in err(
        unsorted, "--set", "haplotypes=true"
    )
    assert "has no sample 'Z'; it has S" in err(
        unsorted, "--set", "haplotypes=true", "--set", "sample=Z"
    )


def test_motifs_of_the_run_are_used(run_copy: tuple[Path, Path]) -> None:
    from wavebind.motifs.jaspar import find_motif
    from wavebind.motifs.pwms import write_meme
    from wavebind.variants.score import choose_motifs

    run, _ = run_copy
    assert choose_motifs(run, None) is None
    assert choose_motifs(run, "CTCF") == "CTCF"
    folder = run / "motifs" / "ig" / "data-test"
    path = folder / "motifs.meme"
    write_json(folder / "motifs.json", {"split": "test", "data": {"path": "data"}})
    write_meme(path, [find_motif("CTCF")])
    assert choose_motifs(run, None) == str(path)
    assert choose_motifs(run, str(path)) == str(path)


def test_p_values_against_counting() -> None:
    from wavebind.variants.verdicts import NullScores

    rng = np.random.default_rng(0)
    pieces = [rng.normal(size=(40, 4)).astype(np.float32) for _ in range(2)]
    pieces[0][3] = np.nan
    null = NullScores.of([("substitution", pieces[0]), ("length", pieces[1])])
    d = np.abs(pieces[0][:, 1] - pieces[0][:, 0])
    d = d[np.isfinite(d)]
    logits = np.array([0.0, 1.1, 0.0, 0.0])
    assert null.p_value("substitution", logits) == (1 + (d >= 1.1).sum()) / 40
    only = NullScores.of([("length", pieces[1])])
    assert only.p_value("substitution", logits) == only.p_value("length", logits)
    assert np.isnan(NullScores.of([]).p_value("length", logits))


def test_verdicts() -> None:
    from wavebind.variants.verdicts import judge

    def verdict(before: float, after: float, p: float = 0.01) -> str:
        logits = np.array([before, after, before, after])
        probabilities = 1 / (1 + np.exp(-logits))
        hits = np.zeros(2, dtype=np.float32)
        return judge(logits, probabilities, 0.5, True, p, 0.05, -1, hits).verdict

    assert verdict(-1, 1) == "creates"
    assert verdict(1, -1) == "destroys"
    assert verdict(1, 2) == "strengthens"
    assert verdict(2, 1) == "weakens"
    assert verdict(-2, -1) == "none"
    assert verdict(1, 2, 0.5) == "unchanged"
    assert verdict(1, 1) == "unchanged"
    assert verdict(-1, 1, 0.5) == "none"
    assert verdict(-1, 1, float("nan")) == "creates"
