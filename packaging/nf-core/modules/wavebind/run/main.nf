process WAVEBIND_RUN {
    tag "$meta.id"
    label 'process_medium'

    conda "${moduleDir}/environment.yml"
    container "wavebind:0.2.0"

    input:
    tuple val(meta) , path(peaks)
    tuple val(meta2), path(genome)
    tuple val(meta3), path(accessible)
    tuple val(meta4), path(variants)

    output:
    tuple val(meta), path("${prefix}/report.html")                 , emit: report
    tuple val(meta), path("${prefix}/run")                         , emit: run
    tuple val(meta), path("${prefix}/compare/comparison.tsv")      , emit: comparison
    tuple val(meta), path("${prefix}/variants.tsv")                , emit: variants, optional: true
    tuple val("${task.process}"), val('wavebind'), eval("wavebind --version | sed 's/wavebind //'"), topic: versions, emit: versions_wavebind

    when:
    task.ext.when == null || task.ext.when

    script:
    def args   = task.ext.args ?: ''
    prefix     = task.ext.prefix ?: "${meta.id}"
    def open   = accessible ? "--accessible ${accessible}" : ''
    def scored = variants   ? "--variants ${variants}"     : ''
    """
    export WAVEBIND_CACHE=\$PWD/cache
    wavebind run \\
        --peaks ${peaks} \\
        --genome ${genome} \\
        --out ${prefix} \\
        --threads ${task.cpus} \\
        ${open} \\
        ${scored} \\
        ${args}
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    mkdir -p ${prefix}/run ${prefix}/compare
    touch ${prefix}/report.html ${prefix}/run/model.safetensors ${prefix}/compare/comparison.tsv
    """
}
