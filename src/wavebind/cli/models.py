"""``wavebind models``."""

from __future__ import annotations

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="models", epilog="Example: wavebind models")(models)


def models() -> None:
    """List the networks: what they read, how large they are, and which weights there are."""
    import torch

    from wavebind.models import ModelConfig, all_backbones, build_model

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
