"""``facedots models``: which networks come with facedots, and on what terms."""

import typer


def models() -> None:
    """List the networks that come with facedots: size, input, licence, training data, scores."""
    from facedots.weights import WEIGHTS, open_weights

    if not WEIGHTS:
        typer.echo("no networks come with this copy; `facedots train` makes one, `facedots export` writes its file")
    for name, file in WEIGHTS.items():
        session = open_weights(name)
        spec, card = session.spec, session.card
        colour = "RGB" if spec.channels == 3 else "grey"
        square = f"{spec.framing.scale:g} × the side of {'the face' if spec.framing.kind == 'box' else 'the frame'}"
        rows = {
            "file": f"{file.path.stat().st_size / 1e6:.2f} MB, {file.path}",
            "input": f"{spec.input_size} × {spec.input_size} {colour}, {square}",
            "points": f"{spec.schema.count} ({spec.schema.name})",
            "licence": card.licence or "unknown",
            "trained on": card.trained_on or "unknown",
            "note": card.note,
            "scores": "; ".join(f"{what} {score}" for what, score in card.scores.items()) or "not measured",
        }
        typer.echo(f"{name}: {card.title}" if card.title else name)
        for label, text in rows.items():
            if text:
                typer.echo(f"  {label:<10}  {text}")
