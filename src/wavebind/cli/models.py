"""``wavebind models``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="models", epilog="Example: wavebind models    or: wavebind models factors")(
        models
    )


def models(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]",
            help="List the outputs of this model: factors, which comes with the package, or a run.",
        ),
    ] = None,
) -> None:
    """List the networks and the models of the package; or the outputs of one model.

    Of a network: what it reads, how large it is, and which weights there are.
    """
    import torch

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
