"""What is handed to package managers and workflows says the same as the package itself."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml

from genome_files import write_genome
from helpers import MOTIF, random_dna

ROOT = Path(__file__).parents[1]
PACKAGING = ROOT / "packaging"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: Names that conda-forge has others for.
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def recipe():
    from jinja2 import Environment

    # YAML, no page: nothing is escaped.
    values = {"PYTHON": "python", "pin_subpackage": lambda name, max_pin: f"{name} {max_pin}"}
    return yaml.safe_load(
        Environment(autoescape=False)  # noqa: S701
        .from_string((PACKAGING / "conda" / "meta.yaml").read_text())
        .render(**values)
    )


def test_the_conda_recipe_needs_what_the_package_needs():
    found = recipe()
    assert found["package"] == {"name": "wavebind", "version": PROJECT["version"]}
    assert found["build"]["entry_points"] == ["wavebind = wavebind.cli.main:main"]
    expected = {"python >=3.11"}
    for line in PROJECT["dependencies"]:
        name, bound = re.fullmatch(r"([A-Za-z0-9_.-]+)(.*)", line).groups()
        expected.add(f"{CONDA_NAMES.get(name, name.lower())} {bound}")
    assert set(found["requirements"]["run"]) == expected
    # What bioconda's linter asks for of a recipe.
    assert found["build"]["noarch"] == "python"
    assert "run_exports" in found["build"]
    assert {"home", "license", "license_file", "summary"} <= set(found["about"])
    assert found["test"]["commands"]


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    release = PROJECT["version"].removesuffix(".dev0")
    module = PACKAGING / "nf-core" / "modules" / "wavebind" / "run"
    environment = yaml.safe_load((module / "environment.yml").read_text())
    assert environment["dependencies"] == [f"bioconda::wavebind={release}"]
    assert f'container "wavebind:{release}"' in (module / "main.nf").read_text()


def test_the_module_describes_what_it_takes_and_gives():
    module = PACKAGING / "nf-core" / "modules" / "wavebind" / "run"
    described = yaml.safe_load((module / "meta.yml").read_text())
    text = (module / "main.nf").read_text()
    takes = re.findall(r"path\((\w+)\)", text.split("output:")[0])
    assert [next(iter(entry)) for group in described["input"] for entry in group[1:]] == takes
    gives = re.findall(r"emit: (\w+)", text)
    assert list(described["output"]) == gives
    # Every option that it passes is one of the command.
    from typer.testing import CliRunner

    from wavebind.cli.main import app

    helped = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "200"}).output
    for option in set(re.findall(r"--[a-z]+", text.split("script:")[1].split("stub:")[0])):
        assert option in helped, option


def test_the_container_copies_what_the_build_needs():
    text = (PACKAGING / "container" / "Dockerfile").read_text()
    for name in re.findall(r"COPY (.+) \./?\S*", text):
        for part in name.split():
            assert (ROOT / part).exists(), part
    needed = {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "src"}
    assert needed <= set(" ".join(re.findall(r"COPY (.+) \S+", text)).split())


@pytest.mark.slow
def test_the_rules_run_a_study_and_a_scan_in_shares(tmp_path):
    snakemake = shutil.which("snakemake")
    if snakemake is None:
        pytest.skip("Snakemake is not installed")
    rng = np.random.default_rng(3)
    genome, lines = {}, []
    for chrom, n in (("chr1", 90), ("chr2", 40), ("chr8", 30)):
        letters = list(random_dna(rng, 2000 * (n + 2)))
        for i in range(n):
            at = 2000 * (i + 1)
            letters[at : at + len(MOTIF)] = MOTIF
            lines.append(f"{chrom}\t{at - 80}\t{at + 90}\n")
        genome[chrom] = "".join(letters)
    write_genome(tmp_path, "g.fa", genome)
    (tmp_path / "my peaks.bed").write_text("".join(lines))
    (tmp_path / "config.yaml").write_text(
        "wavebind:\n  genome: g.fa\n  peaks: {ctcf: my peaks.bed}\n  shares: 2\n"
    )
    done = subprocess.run(
        [
            snakemake, "--snakefile", PACKAGING / "snakemake" / "wavebind.smk", "--configfile",
            "config.yaml", "--cores", "2", "study/ctcf/report.html", "scan/ctcf.bw",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Compared with" in (tmp_path / "study" / "ctcf" / "report.html").read_text()
    import pyBigWig

    with pyBigWig.open(str(tmp_path / "scan" / "ctcf.bw")) as track:
        assert set(track.chroms()) == set(genome)
    assert (tmp_path / "scan" / "ctcf.narrowPeak").read_text().count("\n") > 50
