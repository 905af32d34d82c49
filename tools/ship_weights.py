"""Put a finished run's network into the package: scores measured and written into its card, hash
pinned, model card in docs/.

    python tools/ship_weights.py runs/small --data ../shared/data --disjoint runs/small-d0 …

The runs given with --disjoint are those of the same network on the splits disjoint:0 … disjoint:4;
each is measured on its own test part, and the mean over them is the identity-disjoint score.
Without them, the card keeps those that it has, and when and on what they were trained. Where int8
costs at most 0.05 NME, NAME-int8 is shipped too.
"""

import argparse
import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from docs_tables import disjoint_mean, table_of
from teacher import TAUGHT

from facedots import KeypointPredictor, Recipe, RetinaFace, evaluate, load_recipe, load_split
from facedots.annotations import FaceAnnotation
from facedots.data.splits import CUSTOM
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
people are all in its training part. The identity-disjoint rows are honest: each is of a run of its
own (*Disjoint runs*), tested on unseen people. Rows in the labels' own style come from the same
weights, exported with the label style of YouTube Faces (`facedots export --label-style`)."""
DISJOINT_FACT, DISJOINT_ROW = "- **Disjoint runs**: ", "| youtube-faces disjoint:"
"""How a card's lines on runs of disjoint splits begin: what the runs are, and their scores."""
NOT_TRAINING = {"title", "license", "trained_on", "device", "workers", "threads", "cache_gb"}
"""Fields of a recipe that do not change the weights."""
YOUTUBE, W300 = "youtube-faces", "300w"
INT8_LOSS = 0.05


def measure(run: Path, data: str, folder: Path) -> dict[str, Accuracy]:
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
    if recipe.exported_style == W300:
        name = "youtube-faces official, tight box, labels' own style"
        scores[name] = evaluate(KeypointPredictor(styled(run, folder), refine=0), youtube).accuracy
    scores[f"youtube-faces official, {'whole frame' if whole_frame else 'tight box'}"] = evaluate(
        predictor, youtube
    ).accuracy
    if not whole_frame:
        scores["youtube-faces official, box by RetinaFace"] = evaluate(
            predictor, youtube, RetinaFace()
        ).accuracy
    return scores


def measure_disjoint(runs: Sequence[Path], data: str, folder: Path) -> list[str]:
    """The lines of the card on runs of disjoint splits."""
    recipe, started = load_run(runs[0])[0], provenance(runs[0])["started"][:10]
    sources = " and ".join(recipe.sources)
    lines = [
        f"{DISJOINT_FACT}{started}, recipe of that day, {recipe.epochs} epochs each, "
        f"on {sources} alone"
    ]
    for run in runs:
        split = load_run(run)[0].split
        predictor = KeypointPredictor(styled(run, folder), refine=0)
        score = evaluate(predictor, load_split(data, [YOUTUBE], split).test).accuracy
        lines.append(table_row(f"youtube-faces {split}, labels' own style (its own run)", score))
    return lines


def kept_disjoint(card: Path) -> list[str]:
    """These lines of a card that is there."""
    lines = card.read_text(encoding="utf-8").splitlines() if card.exists() else []
    return [line for line in lines if line.startswith((DISJOINT_FACT, DISJOINT_ROW))]


def styled(run: Path, folder: Path) -> Path:
    """The network of a run as a file that labels as the YouTube set does."""
    path = folder / f"{run.name}-youtube.onnx"
    export_run(run, path, label_style=YOUTUBE)
    return path


def provenance(run: Path) -> dict[str, Any]:
    """What a run was made from."""
    record: dict[str, Any] = json.loads((run / PROVENANCE_FILE).read_text())
    return record


def count_faces(faces: Sequence[FaceAnnotation]) -> str:
    """How many faces, by what is labeled of them."""
    labeled = sum(bool(np.isfinite(face.points).any()) for face in faces)
    boxes = sum(face.is_face for face in faces) - labeled
    rest = len(faces) - labeled - boxes
    return (
        f"{labeled} faces"
        + f", {boxes} more by their boxes" * (boxes > 0)
        + f", {rest} places without one" * (rest > 0)
    )


def training_commands(recipe: Recipe, name: str) -> str:
    """What trains such a network; options are the fields in which its recipe is not the file's."""
    file = f"recipes/{name}.yaml"
    published = load_recipe(ROOT / file).model_dump(mode="json")
    packed = recipe.sources == (CUSTOM,)
    options = [f"--data {'/tmp/facedots-gpu/faces' if packed else 'DIR'} --out RUN"]
    for field, value in recipe.model_dump(mode="json", exclude=NOT_TRAINING).items():
        if value != published[field]:
            text = ",".join(map(str, value)) if isinstance(value, list) else value
            options.append(f"--{field.replace('_', '-')} {text}")
    train = f"`facedots train {file} {' '.join(options)}`"
    taught = TAUGHT in recipe.trained_on
    teacher = " --teacher TEACHER` (made as `tools/teacher.py` says)" if taught else "`"
    return f"`python tools/gpu_pack.py faces DIR{teacher}, then {train}" if packed else train


def table_row(name: str, score: Accuracy) -> str:
    """One line of the model card's table."""
    missed = f" ({score.missed} missed)" if score.missed else ""
    numbers = (score.nme, score.nme_median, score.fr10, score.auc10, score.nme_shift_free)
    return (
        f"| {name} | {score.n}{missed} | "
        + " | ".join(f"{number:.2f}" for number in numbers)
        + " |"
    )


def model_card(run: Path, name: str, scores: dict[str, Accuracy], disjoint: list[str]) -> str:
    """The Markdown page of a network, with the lines on runs of disjoint splits."""
    recipe, data = load_run(run)
    source = provenance(run)
    train = load_split(
        data, recipe.sources, recipe.split, recipe.val_fraction, recipe.read_options
    ).train
    files = [FOLDER / f"{name}.onnx", FOLDER / f"{name}-int8.onnx"]
    files = [file for file in files if file.exists()]
    predictor = KeypointPredictor(run / ONNX_FILE)
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
        "Label style": recipe.exported_style,
        "Trained on": f"{recipe.trained_on}; {count_faces(train)}, "
        f"{source['faces']['validation']} more for validation and calibration",
        "Terms": f"code Apache-2.0; weights research only. {recipe.license}",
        "Reproduce": f"{training_commands(recipe, name)} ({recipe.epochs} epochs)",
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
        *(line for line in disjoint if line.startswith(DISJOINT_FACT)),
        "",
        NOTES,
        "",
        TABLE_HEAD,
        *(table_row(what, score) for what, score in scores.items()),
        *(line for line in disjoint if line.startswith(DISJOINT_ROW)),
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
    file, target = folder / "int8.onnx", FOLDER / f"{name}-int8.onnx"
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
        target.unlink(missing_ok=True)
        return
    atomic_write(target, with_scores(file, {what: round(row.nme, 3) for what, row in rows.items()}))
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
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--int8-only", action="store_true", help="leave out the larger file")
    files.add_argument("--no-int8", action="store_true", help="leave out the smaller file")
    arguments = parser.parse_args()
    run: Path = arguments.run
    recipe: Recipe = load_run(run)[0]
    name = arguments.name or recipe.model
    page = ROOT / "docs" / "models" / f"{name}.md"
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        export_run(run, run / ONNX_FILE)
        scores = measure(run, arguments.data, folder)
        disjoint = (
            measure_disjoint(arguments.disjoint, arguments.data, folder)
            if arguments.disjoint
            else kept_disjoint(page)
        )
        flat = {what: round(score.nme, 3) for what, score in scores.items()}
        if disjoint:
            table = "\n".join([TABLE_HEAD, *disjoint[1:], ""])
            flat["youtube-faces disjoint, mean"] = float(disjoint_mean(table_of(table)))
        if not arguments.int8_only:
            atomic_write(FOLDER / f"{name}.onnx", with_scores(run / ONNX_FILE, flat))
        if arguments.no_int8:
            (FOLDER / f"{name}-int8.onnx").unlink(missing_ok=True)
        elif KeypointPredictor(run / ONNX_FILE).spec.crop.mode == "box":
            ship_int8(run, name, arguments.data, folder, scores)
    pin(FOLDER)
    card = model_card(run, name, scores, disjoint)
    atomic_write(page, card)
    # In a process of its own, which knows the new hashes.
    subprocess.run([sys.executable, ROOT / "tools" / "docs_tables.py"], check=True)
    print(card)


if __name__ == "__main__":
    main()
