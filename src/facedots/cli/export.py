"""``facedots export``: a run's network as one ONNX file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, as `facedots train` leaves it.")],
    out: Annotated[Path, typer.Option(help="ONNX file to write.")],
    checkpoint: Annotated[str, typer.Option(help="best (by validation NME) or last.")] = "best",
    style: Annotated[str, typer.Option(help="Whose way of labelling to follow: one of the recipe's sources.")] = "",
    int8: Annotated[bool, typer.Option("--int8", help="Half the bytes again: convolutions in int8.")] = False,
) -> None:
    """Write the network of a run as one ONNX file with its schema, framing, normalisation and licence, checked against torch."""
    from facedots.train.run import export_run

    difference = export_run(run, out, checkpoint, style, int8=int8)
    console = Console(highlight=False)
    console.print(f"{out}: {out.stat().st_size / 1e6:.2f} MB", soft_wrap=True)
    console.print(f"mean difference between torch and ONNX Runtime: {difference:.5f} px of the crop")
