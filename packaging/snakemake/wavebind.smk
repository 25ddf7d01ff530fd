# Rules for a workflow: include this file, and ask for "study/NAME/report.html" or "scan/NAME.bw".
#
#   config:
#     wavebind:
#       genome: hg38.fa                      # FASTA or 2bit
#       peaks: {ctcf: ctcf.narrowPeak.gz}    # a name and a file each
#       accessible: dnase.bed.gz             # optional: open chromatin
#       variants: calls.vcf.gz               # optional
#       shares: 8                            # jobs that a scan is split into
SETTINGS = config["wavebind"]
SHARES = range(1, SETTINGS.get("shares", 8) + 1)


def optional_inputs(_):
    """Files that may be left out of the configuration."""
    return {name: SETTINGS[name] for name in ("accessible", "variants") if name in SETTINGS}


rule wavebind_run:
    input:
        unpack(optional_inputs),
        peaks=lambda wildcards: SETTINGS["peaks"][wildcards.name],
        genome=SETTINGS["genome"],
    output:
        page="study/{name}/report.html",
        model="study/{name}/run/model.safetensors",
    params:
        out=lambda wildcards, output: output.page.removesuffix("/report.html"),
        options=lambda wildcards, input: [
            word
            for name in ("accessible", "variants")
            if name in input.keys()
            for word in (f"--{name}", str(input[name]))
        ],
    log:
        "logs/wavebind_run_{name}.log",
    threads: 2
    resources:
        mem_mb=8000,
    shell:
        "wavebind run --peaks {input.peaks:q} --genome {input.genome:q} --out {params.out:q} "
        "--threads {threads} {params.options:q} 2> {log:q}"


rule wavebind_scan_share:
    input:
        model="study/{name}/run/model.safetensors",
        genome=SETTINGS["genome"],
    output:
        touch("scan/{name}.share{share}.done"),
    params:
        run="study/{name}/run",
        out="scan/{name}.bw",
        sites="scan/{name}.narrowPeak",
        n=len(SHARES),
    log:
        "logs/wavebind_scan_{name}_{share}.log",
    resources:
        mem_mb=4000,
    shell:
        "wavebind scan {params.run:q} {input.genome:q} --out {params.out:q} --peaks "
        "{params.sites:q} --workers 1 --shard {wildcards.share}/{params.n} 2> {log:q}"


rule wavebind_merge:
    input:
        expand("scan/{{name}}.share{share}.done", share=SHARES),
    output:
        track="scan/{name}.bw",
        sites="scan/{name}.narrowPeak",
    log:
        "logs/wavebind_merge_{name}.log",
    shell:
        "wavebind merge {output.track:q} 2> {log:q}"
