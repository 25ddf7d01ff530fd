"""``wavebind models``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.options import Force

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="models",
        epilog="Example: wavebind models    or: wavebind models factors    or: wavebind models "
        "--import lsgkm.model.txt --out gkm",
    )(models)


def models(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]",
            help="List the outputs of this model: factors, which comes with the package, or a run.",
        ),
    ] = None,
    lsgkm: Annotated[
        Path | None,
        typer.Option(
            "--import",
            metavar="MODEL",
            help="Make a run of a model of LS-GKM, the .model.txt that gkmtrain wrote, gzipped or "
            "not.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="With --import: the folder of the run.")
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="With --import: window length in base pairs for scan, variants and explain. They "
            "take --length, too. (default: that of most support vectors)",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """List the networks and the models of the package; or the outputs of one model.

    Of a network: what it reads, how large it is, and which weights there are. With --import, make
    a run of a gapped k-mer machine; 'wavebind predict' gives its scores.
    """
    import torch

    from wavebind.core.errors import UsageError

    if lsgkm is not None:
        from wavebind.api.lsgkm import import_model

        if out is None or run is not None:
            raise UsageError("--import needs an --out, the folder of the run, and no RUN")
        typer.echo(import_model(lsgkm, out, length=length, force=force))
        return
    if out is not None or length is not None or force:
        raise UsageError("--out, --length and --force are for --import")

    from wavebind.models import ModelConfig, all_backbones, build_model
    from wavebind.models.shipped import SHIPPED

    if run is not None:
        from wavebind.api.run import load

        typer.echo(load(run, "cpu").labels().to_string(index=False, na_rep="-"))
        return
    typer.echo(f"{'name':<20}{'weights':>12}  about")
    for name, backbone in all_backbones().items():
        network = build_model(ModelConfig(200, backbone=name), torch.Generator().manual_seed(0))
        typer.echo(f"{name:<20}{network.n_weights:>12,}  {backbone.about}")
        typer.echo(f"{'':<34}reads {backbone.inputs}")
        stages = ", ".join(segment.name for segment in network.backbone.segments())
        typer.echo(f"{'':<34}stages: {stages}")
        published = backbone.pretrained
        if published is not None:
            typer.echo(
                f"{'':<34}training.weights=imagenet: {published.source}, licence "
                f"{published.licence}"
            )
    typer.echo(f"{'timm:NAME':<20}{'':>12}  any network of timm, where timm is installed and works")
    for name, about in SHIPPED.items():
        typer.echo(f"{name:<20}{'trained':>12}  {about}; 'wavebind models {name}' lists them")
