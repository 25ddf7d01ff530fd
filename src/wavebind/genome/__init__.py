"""Sequences, genomes, intervals, peaks and variants as they stand in files.

Ask it to read a genome, a BED, a FASTA or a VCF, and for the codes of a sequence.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "fetch": ["fetch_files"],
        "genomes": ["match_chromosomes", "open_genome"],
        "intervals": ["read_intervals"],
        "peaks": ["bound_windows", "place_on_genome"],
        "sequences": ["onehot", "read_fasta", "reverse_complement", "to_codes", "to_letters"],
        "shuffling": ["dinucleotide_shuffle"],
        "vcf": ["read_header", "read_records"],
    },
)
