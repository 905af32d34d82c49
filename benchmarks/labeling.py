"""Label, correct, retrain: what a hundred corrected images are worth, on drawn faces.

    python benchmarks/labeling.py [--first 20] [--pool 600] [--top 100] [--crops 20000] [--seed 0]
    [--out out/labeling]

A network is trained on a few labeled faces. It predicts a pool of unlabeled ones with `facedots
label export`; an annotator who knows where the points are corrects the most uncertain, and for
comparison as many drawn by lot, in Label Studio's export; `facedots label import` brings them
back. With either the network is trained anew on as many crops, and all are measured on the same
200 faces, which none has seen. Every step is the command that people use; only the annotator is
played.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
from common import machine, markdown_table

from facedots import IBUG68, Face, ImageResult, write_image
from facedots.annotations import FaceAnnotation, annotations_csv, to_label_studio
from facedots.data import draw_face
from facedots.geometry import Floats
from facedots.io import atomic_write

TEST = 200
RECIPE = Path(__file__).parents[1] / "recipes" / "custom.yaml"


def run(*words: object) -> str:
    """What a command of facedots prints."""
    command = [sys.executable, "-m", "facedots", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=7200)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def draw(folder: Path, count: int, seed: int) -> dict[str, Floats]:
    """Draw faces into a folder: name of the image -> its points."""
    points = dict[str, Floats]()
    for i in range(count):
        image, points[f"{i:04d}.jpg"] = draw_face(np.random.default_rng((seed, i)))
        write_image(folder / f"{i:04d}.jpg", image)
    return points


def write_labels(folder: Path, points: Mapping[str, Floats]) -> None:
    """The CSV file of a folder of images, beside it."""
    faces = [FaceAnnotation(folder / name, face, name, name) for name, face in points.items()]
    atomic_write(folder.with_suffix(".csv"), annotations_csv(faces, IBUG68))


def annotate(work: Path, truth: Mapping[str, Floats]) -> Path:
    """Label Studio's export of a batch in which all points were put where they are."""
    nan = np.full(IBUG68.count, np.nan, np.float32)
    unknown = np.full((IBUG68.count, 2, 2), np.nan, np.float32)
    results = []
    for image in json.loads((work / "export.json").read_text())["images"]:
        points = truth[image["source"]]
        face = Face(points, unknown, nan, np.zeros(4, np.float32), 1.0, IBUG68)
        results.append(
            ImageResult(f"images/{image['file']}", image["width"], image["height"], [face])
        )
    tasks = json.loads(to_label_studio(results, IBUG68))
    for number, task in enumerate(tasks, start=1):
        (prediction,) = task.pop("predictions")
        task |= {"id": number, "annotations": [{"result": prediction["result"]}]}
    atomic_write(work / "corrected.json", json.dumps(tasks))
    return work / "corrected.json"


def train(data: Path, faces: int, crops: int) -> list[str]:
    """Train on a folder of data, in ``crops`` crops, and measure on its test faces: faces, epochs,
    NME of all and of the worst tenth, and the share of faces with more than 10 %.
    """
    folder, epochs = data.parent / f"run-{data.name}", max(1, round(crops / faces))
    fields = ("--model", "tiny", "--box_jitter", 1.0, "--epochs", epochs)
    run("train", RECIPE, "--data", data, "--out", folder, *fields)
    run("evaluate", folder, "--data", data, "--out", folder / "report")
    scores = json.loads((folder / "report" / "report.json").read_text())
    names = ("nme", "nme_worst_tenth", "fr10")
    return [str(faces), str(epochs), *(f"{scores[name]:.2f}" for name in names)]


def correct(pool: Path, model: Path, truth: Mapping[str, Floats], data: Path, top: int) -> str:
    """Export the most uncertain images of a pool, have them corrected, add them to the data."""
    work = data.parent / f"work-{data.name}"
    run("label", "export", pool, "--model", model, "--out", work, "--top", top)
    shutil.copytree(pool, data / "pool")
    corrected, labels = annotate(work, truth), data / "pool.csv"
    return run("label", "import", corrected, "--exported", work, "--out", labels)


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--first", type=int, default=20)
    parser.add_argument("--pool", type=int, default=600)
    parser.add_argument("--top", type=int, default=100)
    parser.add_argument("--crops", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/labeling"))
    options = parser.parse_args()
    out: Path = options.out
    shutil.rmtree(out, ignore_errors=True)

    first, lot = out / "first", out / "lot"
    for name, count, seed in (("labeled", options.first, 1), ("test", TEST, 2)):
        points = draw(first / name, count, options.seed + seed)
        write_labels(first / name, points)
    truth = draw(out / "pool", options.pool, options.seed + 3)
    chosen = np.random.default_rng(options.seed).permutation(list(truth))[: options.top]
    lot.mkdir()
    for name in chosen:
        shutil.copy(out / "pool" / name, lot)

    rows = [["labeled at first", *train(first, options.first, options.crops)]]
    model = out / "run-first" / "model.onnx"
    run("export", out / "run-first", "--out", model)
    for title, pool in (("most uncertain", out / "pool"), ("drawn by lot", lot)):
        data = out / f"with-{pool.name}"
        shutil.copytree(first, data)
        print(f"{title}:\n{correct(pool, model, truth, data, options.top)}")
        count = options.first + options.top
        rows.append([f"and corrected, {title}", *train(data, count, options.crops)])
    print(f"{machine()}, {date.today()}; {TEST} test faces, {options.crops} crops each\n")
    print(markdown_table(["data", "faces", "epochs", "NME %", "worst tenth %", "FR10 %"], rows))


if __name__ == "__main__":
    main()
