"""Put a finished run's network into the package: scores measured and written into its card, hash pinned, model card in docs/.

    python tools/ship_weights.py runs/small --data ../shared/data --disjoint runs/small-d0 …

The runs given with --disjoint are those of the same recipe on the splits disjoint:0 … disjoint:4; each is measured on its own
test part, and the mean over them is the identity-disjoint score.
"""

import argparse
import hashlib
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import onnx

from facedots.data.splits import load_split
from facedots.detect.retinaface import RetinaFace
from facedots.evaluate.metrics import Scores
from facedots.evaluate.protocol import evaluate
from facedots.infer.keypointer import Keypointer
from facedots.infer.session import CARD_KEY
from facedots.io.files import write_whole
from facedots.train.run import ONNX_FILE, PROVENANCE_FILE, load_run
from facedots.weights import FOLDER

ROOT = Path(__file__).parents[1]
TABLE_HEAD = "| measured on | faces | NME % | median % | FR10 % | AUC10 % | NME* % |\n|---|---|---|---|---|---|---|"


def measure(run: Path, data: str, disjoint: list[Path]) -> dict[str, Scores]:
    """Scores by what was measured, in the order of the table."""
    keypointer = Keypointer(run / ONNX_FILE)
    whole_frame = keypointer.spec.framing.kind == "frame"
    youtube = load_split(data, ["youtube-faces"], "official").test
    scores = {f"youtube-faces official, {'whole frame' if whole_frame else 'tight box'}": evaluate(keypointer, youtube).scores}
    if not whole_frame:
        scores["youtube-faces official, box by RetinaFace"] = evaluate(keypointer, youtube, RetinaFace()).scores
        scores["300-W validation photos, tight box"] = evaluate(keypointer, load_split(data, ["300w"], "official").test).scores
    for other in disjoint:
        split = load_run(other)[0].split
        faces = load_split(data, ["youtube-faces"], split).test
        scores[f"youtube-faces {split} (its own training run)"] = evaluate(Keypointer(other / ONNX_FILE), faces).scores
    return scores


def table_row(name: str, score: Scores) -> str:
    """One line of the model card's table."""
    missed = f" ({score.missed} missed)" if score.missed else ""
    numbers = (score.nme, score.nme_median, score.fr10, score.auc10, score.nme_shift_free)
    return f"| {name} | {score.n}{missed} | " + " | ".join(f"{number:.2f}" for number in numbers) + " |"


def model_card(run: Path, name: str, scores: dict[str, Scores]) -> str:
    """The Markdown page of a network."""
    recipe, _ = load_run(run)
    source = json.loads((run / PROVENANCE_FILE).read_text())
    file = FOLDER / f"{name}.onnx"
    spec = Keypointer(file).spec
    square = "the face's tight box" if spec.framing.kind == "box" else "the middle of the frame"
    parts = [
        f"# {name}",
        f"*Written by `tools/ship_weights.py` on {datetime.now(UTC):%Y-%m-%d}; trained {source['started'][:10]}, "
        f"revision {(source['git'] or 'unknown')[:12]}, {source['machine']}, {platform.processor() or 'CPU'}.*",
        f"- **File**: `{file.relative_to(ROOT)}`, {file.stat().st_size / 1e6:.2f} MB, ONNX, stored as float16, used as float32",
        f"- **Sees**: {spec.input_size} × {spec.input_size} px, {'RGB' if spec.channels == 3 else 'grey'}, a square of "
        f"{spec.framing.scale:g} × the side of {square}",
        f"- **Gives**: {spec.schema.count} points ({spec.schema.name})"
        + (" with a sigma each" if spec.framing.kind == "box" else ", no sigma"),
        f"- **Trained on**: {recipe.trained_on}; {source['faces']['train']} faces, "
        f"{source['faces']['validation']} more held out to choose the checkpoint",
        f"- **Licence and use**: {recipe.licence}",
        f"- **Again**: `facedots train recipes/{name}.yaml --data DIR --out RUN`",
        "",
        "Scores; FR10 counts a missed face as failed, NME and NME* are over the faces found. NME* is the NME after one constant",
        "shift of all faces together is taken off. The official split is for comparison only: its test people are all in its",
        "training part. The identity-disjoint rows are honest: each run never saw the people that it is measured on.",
        "",
        TABLE_HEAD,
        *(table_row(what, score) for what, score in scores.items()),
        "",
        "NME of the first row by region, %: "
        + ", ".join(f"{region} {value:.2f}" for region, value in next(iter(scores.values())).nme_by_region.items())
        + ".",
        "",
    ]
    return "\n".join(parts)


def pin(folder: Path) -> None:
    """Rewrite the list of hashes."""
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(folder.glob("*.onnx"))]
    write_whole(folder / "SHA256SUMS", "".join(lines))


def main() -> None:
    """Measure, write the weights with their scores, pin them, write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--disjoint", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    name = load_run(arguments.run)[0].model
    scores = measure(arguments.run, arguments.data, arguments.disjoint)
    flat = {what: round(score.nme, 3) for what, score in scores.items()}
    if arguments.disjoint:
        flat["youtube-faces disjoint, mean"] = round(fmean(value for what, value in flat.items() if "disjoint:" in what), 3)
    model = onnx.load(arguments.run / ONNX_FILE)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    metadata[CARD_KEY] = json.dumps({**json.loads(metadata[CARD_KEY]), "scores": flat})
    onnx.helper.set_model_props(model, metadata)
    write_whole(FOLDER / f"{name}.onnx", model.SerializeToString())
    pin(FOLDER)
    card = model_card(arguments.run, name, scores)
    write_whole(ROOT / "docs" / "models" / f"{name}.md", card)
    print(card)


if __name__ == "__main__":
    main()
