"""``facedots data audit``: can a data set be trusted? One page that says so. Needs ``facedots[train]``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from facedots.cli.data import Format, Origin, Pictures, Source, reading_of

LEVELS = {"fault": "bold red", "care": "yellow", "fine": "green", "unknown": "dim"}


def audit(
    source: Source,
    *,
    out: Annotated[Path, typer.Option(help="Folder for index.html, audit.json, faces.csv.")] = Path("out/audit"),
    against: Annotated[Path | None, typer.Option(help="Other data that must not share pictures or people with it.")] = None,
    model: Annotated[
        str, typer.Option(help="Network to compare with: a name, an .onnx file, a run; none to go without.")
    ] = "small",
    fix: Annotated[bool, typer.Option("--fix", help="Write cleaned CSVs and changes.json to OUT/clean; the data stay.")] = False,
    drop_suspicious: Annotated[bool, typer.Option("--drop-suspicious", help="With --fix: leave out suspicious faces.")] = False,
    format: Format = None,
    pictures: Pictures = None,
    origin: Origin = None,
) -> None:
    """Find duplicates, leaks between parts, displaced, swapped and wrong labels, and gaps in what is covered.

    The network is asked only where it finds the points that the data have; faces are compared with each other anyway.
    """
    from facedots.audit.audit import audit as run
    from facedots.audit.findings import findings
    from facedots.audit.repair import changes, write_clean
    from facedots.audit.report import write_report
    from facedots.cli.weights_file import weights_file
    from facedots.data.parts import Reading, open_parts
    from facedots.infer.keypointer import Keypointer

    if drop_suspicious and not fix:
        raise typer.BadParameter("it says what --fix leaves out; give --fix, too", param_hint="--drop-suspicious")
    how = reading_of(source, format, pictures, origin)
    parts = open_parts(source, how)
    others = open_parts(against, Reading(schema=how.schema)) if against else None
    network = None if model == "none" else Keypointer(weights_file(model))
    with Console(stderr=True).status("looking at all faces"):
        found = run(parts, how.schema, network, model, others)
        changed = changes(found, drop_suspicious) if fix else None
        trained = (
            f"The network {model} was trained on: {network.card.trained_on or 'unknown'}." if network and found.network else ""
        )
        written = write_report(found, out, Path(source).resolve().name, trained, changed)
        written += write_clean(found, changed, out / "clean") if changed is not None else []
    console = Console(highlight=False)
    for finding in findings(found):
        console.print(f"[{LEVELS[finding.level]}]{finding.level:7}[/] {finding.check}:", end=" ")
        console.print(finding.text, markup=False, soft_wrap=True)
    for path in written:
        typer.echo(path)
