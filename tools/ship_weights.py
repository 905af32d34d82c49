"""Put a finished run's network into the package: scores measured and written into its card, hash
pinned, model card in docs/.

    python tools/ship_weights.py runs/small --data ../shared/data --disjoint runs/small-d0 …

The runs given with --disjoint are those of the same recipe on the splits disjoint:0 … disjoint:4;
each is measured on its own test part, and the mean over them is the identity-disjoint score. Where
int8 costs at most 0.05 NME, NAME-int8 is shipped too.
"""

import argparse
import hashlib
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import onnx
from docs_tables import write_tables

from facedots import KeypointPredictor, Recipe, RetinaFace, evaluate, load_split
from facedots.evaluation import Accuracy
from facedots.inference.session import CARD_KEY
from facedots.inference.weights import FOLDER, ONNX_FILE
from facedots.io import atomic_write
from facedots.training import export_run, load_run
from facedots.training.run_folder import PROVENANCE_FILE

ROOT = Path(__file__).parents[1]
TABLE_HEAD = """| measured on | faces | NME % | median % | FR10 % | AUC10 % | NME* % |
|---|---|---|---|---|---|---|"""
NOTES = """\
FR10 counts a missed face as failed; NME and NME* are over the detected faces. NME* is the NME after
one constant shift of all faces is removed. The official split is for comparison only: its test
people are all in its training part. The identity-disjoint rows are honest: each run is tested on
unseen people. Rows in the labels' own style come from the same weights, exported with the label
style of YouTube Faces (`facedots export --label-style`)."""
YOUTUBE, W300 = "youtube-faces", "300w"
INT8_LOSS = 0.05


def measure(run: Path, data: str, disjoint: list[Path], folder: Path) -> dict[str, Accuracy]:
    """Scores by what was measured, in the order of the table; files in another style go into the
    folder.
    """
    predictor = KeypointPredictor(run / ONNX_FILE, refine=0)
    recipe, _ = load_run(run)
    whole_frame = predictor.spec.crop.mode == "frame"
    youtube = load_split(data, [YOUTUBE], "official").test
    scores: dict[str, Accuracy] = {}
    if not whole_frame:
        scores["300-W validation photos, tight box"] = evaluate(
            predictor, load_split(data, [W300], "official").test
        ).accuracy
    if recipe.label_style == W300:
        name = "youtube-faces official, tight box, labels' own style"
        scores[name] = evaluate(KeypointPredictor(styled(run, folder), refine=0), youtube).accuracy
    scores[f"youtube-faces official, {'whole frame' if whole_frame else 'tight box'}"] = evaluate(
        predictor, youtube
    ).accuracy
    if not whole_frame:
        scores["youtube-faces official, box by RetinaFace"] = evaluate(
            predictor, youtube, RetinaFace()
        ).accuracy
    for other in disjoint:
        split = load_run(other)[0].split
        scores[f"youtube-faces {split}, labels' own style (its own run)"] = evaluate(
            KeypointPredictor(styled(other, folder), refine=0),
            load_split(data, [YOUTUBE], split).test,
        ).accuracy
    return scores


def styled(run: Path, folder: Path) -> Path:
    """The network of a run as a file that labels as the YouTube set does."""
    path = folder / f"{run.name}-youtube.onnx"
    export_run(run, path, label_style=YOUTUBE)
    return path


def table_row(name: str, score: Accuracy) -> str:
    """One line of the model card's table."""
    missed = f" ({score.missed} missed)" if score.missed else ""
    numbers = (score.nme, score.nme_median, score.fr10, score.auc10, score.nme_shift_free)
    return (
        f"| {name} | {score.n}{missed} | "
        + " | ".join(f"{number:.2f}" for number in numbers)
        + " |"
    )


def model_card(run: Path, name: str, scores: dict[str, Accuracy], epochs: dict[str, int]) -> str:
    """The Markdown page of a network."""
    recipe, _ = load_run(run)
    source = json.loads((run / PROVENANCE_FILE).read_text())
    files = [FOLDER / f"{name}.onnx", FOLDER / f"{name}-int8.onnx"]
    files = [file for file in files if file.exists()]
    predictor = KeypointPredictor(files[0])
    spec = predictor.spec
    size, on_box = spec.input_size, spec.crop.mode == "box"
    stored = {True: "convolutions in int8", False: "stored as float16, used as float32"}
    facts = {
        "Input": f"{size} × {size} px, {'RGB' if spec.channels == 3 else 'gray'}, a square of "
        f"{spec.crop.scale:g} × the side of "
        + ("the face's tight box" if on_box else "the middle of the frame"),
        "Output": f"{spec.schema.count} points ({spec.schema.name}), "
        + ("a covariance each, a score of the face" if on_box else "no covariance, no score")
        + (", the probability that each is visible" if predictor.predicts_visibility else "")
        + (", the pupils" if predictor.predicts_pupils else ""),
        "Label style": recipe.label_style or ", ".join(recipe.sources),
        "Trained on": f"{recipe.trained_on}; {source['faces']['train']} faces, "
        f"{source['faces']['validation']} more for validation and calibration",
        "Terms": f"code Apache-2.0; weights research only. {recipe.license}",
        "Reproduce": f"`facedots train recipes/{name}.yaml --data DIR --out RUN` "
        f"({recipe.epochs} epochs)",
        **{f"Run for {split}": f"the same recipe, {n} epochs" for split, n in epochs.items()},
    }
    regions = next(iter(scores.values())).nme_by_region.items()
    lines = [
        f"# {name}",
        f"*Written by `tools/ship_weights.py` on {datetime.now(UTC):%Y-%m-%d}; "
        f"trained {source['started'][:10]}, revision {(source['git'] or 'unknown')[:12]}, "
        f"{source['machine']}, {platform.processor() or 'CPU'}.*",
        *(
            f"- **File**: `{file.relative_to(ROOT)}`, {file.stat().st_size / 1e6:.2f} MB, ONNX, "
            f"{stored['int8' in file.name]}"
            for file in files
        ),
        *(f"- **{label}**: {text}" for label, text in facts.items()),
        "",
        NOTES,
        "",
        TABLE_HEAD,
        *(table_row(what, score) for what, score in scores.items()),
        "",
        "NME of the first row by region, %: "
        + ", ".join(f"{region} {value:.2f}" for region, value in regions)
        + ".",
        "",
    ]
    return "\n".join(lines)


def with_scores(file: Path, scores: dict[str, float]) -> bytes:
    """The bytes of an ONNX file with these scores on its card."""
    model = onnx.load(file)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    metadata[CARD_KEY] = json.dumps({**json.loads(metadata[CARD_KEY]), "scores": scores})
    onnx.helper.set_model_props(model, metadata)
    return bytes(model.SerializeToString())


def pin(folder: Path) -> None:
    """Rewrite the list of hashes."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(folder.glob("*.onnx"))
    ]
    atomic_write(folder / "SHA256SUMS", "".join(lines))


def ship_int8(run: Path, name: str, data: str, folder: Path, scores: dict[str, Accuracy]) -> None:
    """Put the int8 file beside the other, if it loses little; its rows are added to the scores."""
    file = folder / "int8.onnx"
    export_run(run, file, int8=True)
    predictor = KeypointPredictor(file, refine=0)
    rows = {
        what: evaluate(predictor, load_split(data, [source], "official").test).accuracy
        for source, what in (
            (W300, "300-W validation photos, tight box"),
            (YOUTUBE, "youtube-faces official, tight box"),
        )
    }
    losses = {what: row.nme - scores[what].nme for what, row in rows.items()}
    print(f"int8 loses {losses}")
    if max(losses.values()) > INT8_LOSS:
        return
    atomic_write(
        FOLDER / f"{name}-int8.onnx",
        with_scores(file, {what: round(row.nme, 3) for what, row in rows.items()}),
    )
    scores.update({f"int8: {what}": row for what, row in rows.items()})


def main() -> None:
    """Measure, write the weights with their scores, pin them, write the card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--name", help="of the weights; by default the network's")
    parser.add_argument("--disjoint", type=Path, nargs="*", default=[])
    parser.add_argument("--int8-only", action="store_true", help="leave out the larger file")
    arguments = parser.parse_args()
    run: Path = arguments.run
    recipe: Recipe = load_run(run)[0]
    name = arguments.name or recipe.model
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        export_run(run, run / ONNX_FILE)
        scores = measure(run, arguments.data, arguments.disjoint, folder)
        flat = {what: round(score.nme, 3) for what, score in scores.items()}
        if arguments.disjoint:
            flat["youtube-faces disjoint, mean"] = round(
                fmean(value for what, value in flat.items() if "disjoint:" in what), 3
            )
        if not arguments.int8_only:
            atomic_write(FOLDER / f"{name}.onnx", with_scores(run / ONNX_FILE, flat))
        if KeypointPredictor(run / ONNX_FILE).spec.crop.mode == "box":
            ship_int8(run, name, arguments.data, folder, scores)
    pin(FOLDER)
    epochs = {load_run(other)[0].split: load_run(other)[0].epochs for other in arguments.disjoint}
    card = model_card(run, name, scores, epochs)
    atomic_write(ROOT / "docs" / "models" / f"{name}.md", card)
    write_tables()
    print(card)


if __name__ == "__main__":
    main()
