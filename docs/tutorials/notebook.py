# %% [markdown]
# # A first run
#
# From a peak file and a genome to a trained network, its metrics, what it has learnt, and what it
# says of new sequences. It takes a few minutes on two cores.

# %%
import gzip
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import wavebind as wb

os.chdir(tempfile.mkdtemp())
print(wb.__version__, dir(wb))

# %% [markdown]
# ## A peak file and a genome
#
# You have both. Here they are made of the windows that come with the package, so that nothing is
# downloaded: CTCF peaks of GM12878 cells, and GC-matched windows of chromosome 22. The windows are
# put one after the other, on a chromosome for each split.

# %%
demo = wb.demo_dataset()
rng = np.random.default_rng(0)
chromosomes, peaks = {}, []
for chrom, split in (("chr1", "train"), ("chr8", "valid"), ("chr2", "test")):
    rows = demo.indices(split)
    bound = rows[demo.labels[rows] == 1]
    others = list(rng.permutation(rows[demo.labels[rows] == 0]))
    order = []
    for row in bound:
        peaks.append((chrom, 200 * len(order), 200 * len(order) + 200, 100))
        order += [row, *(others.pop() for _ in range(min(4, len(others))))]
    chromosomes[chrom] = "".join(demo.sequences([*order, *others]))

Path("hg38.fa").write_text("".join(f">{c}\n{letters}\n" for c, letters in chromosomes.items()))
with gzip.open("CTCF.narrowPeak.gz", "wt") as stream:
    for chrom, start, end, summit in peaks:
        stream.write(f"{chrom}\t{start}\t{end}\t.\t0\t.\t0\t-1\t-1\t{summit}\n")
len(peaks), {name: len(letters) for name, letters in chromosomes.items()}

# %% [markdown]
# ## A dataset
#
# Unbound windows are drawn from the genome, matched to the bound ones in GC and repeats. Windows
# are split by chromosome, never at random. `peaks` can be a table of pandas, too. Sequences with
# their labels make a dataset as well.

# %%
data = wb.make_dataset(
    peaks="CTCF.narrowPeak.gz", genome="hg38.fa", background="gc", settings={"background.gap": 0}
)
data.description["counts"]

# %%
frame = pd.DataFrame(peaks, columns=["chrom", "start", "end", "summit"])
wb.make_dataset(
    peaks=frame, genome="hg38.fa", background="gc", settings={"background.gap": 0}
).length

# %%
rows = rng.permutation(demo.indices("train"))[:60]
few = wb.make_dataset(demo.sequences(rows), demo.labels[rows], seed=1)
few.description["counts"]

# %% [markdown]
# ## Training
#
# The argument `recipe` names the representation, the network and the training; `wavebind recipes`
# lists them. The best epoch on the validation split
# is kept.

# %%
run = wb.train(data, out="run", recipe="onehot", seed=1)
run

# %% [markdown]
# A run is opened again by its folder. Windows are strings, a table, or a dataset's.

# %%
run = wb.load("run")
windows = demo.sequences(demo.indices("test")[:4])
run.predict(windows)

# %% [markdown]
# ## How good is it?
#
# Every metric has a 95 % interval, and stands beside what the best shortcut scores on the same
# windows.

# %%
run.evaluate(data)

# %% [markdown]
# ## Where is the evidence?

# %%
explained = run.explain(windows, method="ig")
explained.to_frame().head()

# %%
explained.plot(0)

# %%
explained.logo(0, region=(70, 130))

# %%
scalogram = run.scalogram(windows[0])
scalogram

# %%
scalogram.plot()

# %% [markdown]
# ## What has it learnt?

# %%
motifs = run.motifs(data, split="train")
motifs

# %%
motifs[0].logo()

# %%
motifs[0].pwm.round(2)[:5], motifs[0].match

# %% [markdown]
# ## Along a genome, and one base at a time

# %%
run.scan("hg38.fa", regions=frame.head(10))

# %%
middle = int(frame["start"][0]) + 100
variants = pd.DataFrame(
    {
        "chrom": ["chr1"] * 3,
        "position": [middle - 5, middle, middle + 5],
        "ref": [chromosomes["chr1"][at - 1] for at in (middle - 5, middle, middle + 5)],
    }
)
variants["alt"] = [{"A": "C", "C": "A", "G": "T", "T": "G"}[base] for base in variants["ref"]]
run.score_variants(variants, genome="hg38.fa")

# %% [markdown]
# ## Against what else there is
#
# Every model is trained on the same windows; the differences are paired.

# %%
wb.compare(data, models=["jaspar", "gkm-all", "onehot"])

# %% [markdown]
# ## One page about it all

# %%
run.report("page.html")
