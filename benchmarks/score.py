"""ROC curves of the predicted score: good crops of faces against bad ones, on photos that were not
trained on.

    python benchmarks/score.py [--data ../shared/data] [--models small baseline] [--out out/score]

Good crops are those of the labels' tight boxes, off by what a detector is off. Bad ones: the box
shifted by 30 to 60 % of its side, half and twice as large, and somewhere in the image where neither
a label nor RetinaFace knows of a head. One of each kind a face, of the 770 test frames of YouTube
Faces and the held-out photos of 300-W. Spoilt are good crops of an image with one of the
corruptions of ``robustness.py``, drawn at random: they should still be believed. Beside the score
stands what sigma can do: median sigma over the size of the tight box of the points. Networks that
see whole frames have no crops and are left out.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from common import machine, options_with_data, parser_with_data
from corruptions import CORRUPTIONS, Case
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facedots import (
    WEIGHTS,
    KeypointPredictor,
    Keypoints,
    RetinaFace,
    load_split,
    read_image,
    tight_boxes,
)
from facedots.annotations import FaceAnnotation
from facedots.evaluation import auroc
from facedots.geometry import Floats
from facedots.io import atomic_write
from facedots.plots import save_figure
from facedots.tracking import CONFIDENT_SCORE, LOST_SCORE

Doubles = NDArray[np.float64]

GOOD, CORRUPTED = "good", "good, but corrupted"
DRIFTED = ("shifted by 30-60 %", "half as large", "twice as large")
NO_FACE = "no face"
TRIES = 200


def good_box(box: Floats, rng: np.random.Generator) -> Floats:
    """A tight box ``(4,)`` as a detector may give it: off by up to 5 % of its longer side, 10 % too
    small or large.
    """
    return moved(box, rng.uniform(-0.05, 0.05, 2), rng.uniform(0.9, 1.1))


def drifted_boxes(box: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """A box of each kind of :data:`DRIFTED`."""
    turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.6)
    shift = far * np.array([np.cos(turn), np.sin(turn)])
    boxes = (moved(box, shift, 1), moved(box, np.zeros(2), 0.5), moved(box, np.zeros(2), 2))
    return dict(zip(DRIFTED, boxes, strict=True))


def moved(box: Floats, shift: Doubles, zoom: float) -> Floats:
    """A box shifted by multiples of its longer side, and scaled."""
    corners = box.reshape(2, 2).astype(np.float64)
    middle, half = (
        corners.mean(axis=0) + shift * np.ptp(corners, axis=0).max(),
        zoom * np.ptp(corners, axis=0) / 2,
    )
    return np.concatenate([middle - half, middle + half]).astype(np.float32)


def faceless_box(
    size: tuple[int, int], heads: Floats, side: float, rng: np.random.Generator
) -> Floats | None:
    """A square box ``(4,)`` of 0.5 to 1.2 times a side within an image (height, width) that meets
    no head; None if none fits.

    Args:
        size: Height and width of the image.
        heads: Tight boxes ``(N, 4)``; a head reaches a third beyond its own, two thirds at the top.
        side: In pixels.
        rng: Decides where.
    """
    reach = np.ptp(heads.reshape(-1, 2, 2), axis=1).max(axis=1, keepdims=True) / 3
    around = heads + reach * np.array([-1, -2, 1, 1])
    for _ in range(TRIES):
        length = side * rng.uniform(0.5, 1.2)
        room = np.array([size[1], size[0]]) - length
        if (room <= 0).any():
            continue
        low = rng.uniform(0, room) - 0.5
        box = np.concatenate([low, low + length])
        meets = (np.minimum(box[2:], around[:, 2:]) > np.maximum(box[:2], around[:, :2])).all(
            axis=1
        )
        if not meets.any():
            return np.asarray(box, np.float32)
    return None


def roc(good: Doubles, bad: Doubles) -> tuple[Doubles, Doubles]:
    """The shares of bad and of good crops that score at least so much, for every score that occurs,
    the highest first.

    >>> shares = roc(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
    >>> shares[0].tolist(), shares[1].tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0])
    """
    limits = np.unique(np.concatenate([good, bad]))[::-1]
    shares = [(kind[:, None] >= limits).mean(axis=0) for kind in (bad, good)]
    return np.concatenate([[0], shares[0]]), np.concatenate([[0], shares[1]])


@dataclass(frozen=True)
class CropScores:
    """What a network says of crops: its score, and the same made of its sigmas, both higher where
    it believes more.
    """

    score: Doubles
    sigma: Doubles


def scores_of(keypoints: Keypoints) -> CropScores:
    """Of N crops ``(N,)`` each."""
    tight = tight_boxes(keypoints.points)
    sides = np.sqrt(np.prod(tight[:, 2:] - tight[:, :2], axis=1))
    return CropScores(
        np.asarray(keypoints.score, np.float64),
        np.asarray(-np.median(keypoints.sigma, axis=1) / sides, np.float64),
    )


def predict_crops(
    predictors: Mapping[str, KeypointPredictor], faces: Sequence[FaceAnnotation], seed: int
) -> dict[str, dict[str, CropScores]]:
    """What each network says of the crops of each kind: model -> kind -> scores_of."""
    detector, rng = RetinaFace(min_score=0.3), np.random.default_rng(seed)
    predictions: dict[str, dict[str, list[CropScores]]] = {
        model: defaultdict(list) for model in predictors
    }
    for face in faces:
        image = read_image(face.image, orient=False)
        tight = tight_boxes(face.points[None])
        kinds = {GOOD: good_box(tight[0], rng)} | drifted_boxes(tight[0], rng)
        corrupted = CORRUPTIONS[rng.integers(len(CORRUPTIONS))](
            Case(image, face.points, kinds[GOOD]), face.name
        )
        heads = np.concatenate([tight, detector(image).boxes])
        nowhere = faceless_box(
            image.shape[:2], heads, float(np.ptp(tight.reshape(2, 2), axis=0).max()), rng
        )
        if nowhere is not None:
            kinds[NO_FACE] = nowhere
        for model, predictor in predictors.items():
            keypoints = scores_of(predictor.predict(image, np.stack(list(kinds.values()))))
            predictions[model][CORRUPTED].append(
                scores_of(predictor.predict(corrupted.image, corrupted.box[None]))
            )
            for i, kind in enumerate(kinds):
                predictions[model][kind].append(
                    CropScores(keypoints.score[i : i + 1], keypoints.sigma[i : i + 1])
                )
    return {
        model: {
            kind: CropScores(
                np.concatenate([one.score for one in all_of_it]),
                np.concatenate([one.sigma for one in all_of_it]),
            )
            for kind, all_of_it in kinds.items()
        }
        for model, kinds in predictions.items()
    }


def row(kind: str, kinds: Mapping[str, CropScores]) -> dict[str, float | int | str | None]:
    """One kind of crops against the good ones; None where the network predicts no score."""
    bad, good = kinds[kind], kinds[GOOD]
    scored, doubted = np.isfinite(good.score).all(), np.isfinite(good.sigma).all()
    return {
        "kind": kind,
        "crops": len(bad.score),
        "median": float(np.median(bad.score)) if scored else None,
        "below_lost": float((bad.score < LOST_SCORE).mean()) if scored else None,
        "below_confident": float((bad.score < CONFIDENT_SCORE).mean()) if scored else None,
        "auc_score": auroc(good.score, bad.score) / 100
        if scored and kind not in (GOOD, CORRUPTED)
        else None,
        "auc_sigma": auroc(good.sigma, bad.sigma) / 100
        if doubted and kind not in (GOOD, CORRUPTED)
        else None,
    }


def table(model: str, rows: Sequence[Mapping[str, float | int | str | None]]) -> str:
    """Markdown."""
    head = (
        f"| {model}: crops | number | median score | < {LOST_SCORE} | < {CONFIDENT_SCORE} "
        "| AUC | AUC by sigma |"
    )
    lines = [head, "|---" * 7 + "|"]
    for values in rows:
        cells = [
            f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)
            for value in values.values()
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def figure(model: str, kinds: Mapping[str, CropScores]) -> Figure:
    """The ROC curves of the score, and dashed those of sigma."""
    drawn = Figure(figsize=(7, 5.5), layout="constrained")
    axes = drawn.subplots()
    for color, kind in enumerate(kind for kind in kinds if kind not in (GOOD, CORRUPTED)):
        for what, style in (("score", "-"), ("sigma", "--")):
            good, bad = getattr(kinds[GOOD], what), getattr(kinds[kind], what)
            if np.isfinite(good).all():
                axes.plot(
                    *roc(good, bad),
                    style,
                    color=f"C{color}",
                    label=f"{kind}: {what}, AUC {auroc(good, bad) / 100:.4f}",
                )
    axes.set(
        xscale="log",
        xlim=(1e-3, 1),
        ylim=(0.5, 1.005),
        xlabel="bad crops believed",
        ylabel="good crops believed",
        title=model,
    )
    axes.grid(alpha=0.3)
    drawn.legend(loc="outside lower center", ncols=2)
    return drawn


def main() -> None:
    """Measure, print Markdown, write JSON and images."""
    parser = parser_with_data(__doc__)
    parser.add_argument("--models", nargs="+", default=list(WEIGHTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="take each so manieth face only")
    parser.add_argument("--out", type=Path, help="a folder for score.json and an image a network")
    options = options_with_data(parser)
    cv2.setNumThreads(1)
    faces = load_split(options.data, ["youtube-faces", "300w"], "official").test[:: options.every]
    opened = {model: KeypointPredictor(model, refine=0) for model in options.models}
    predictors = {
        model: predictor for model, predictor in opened.items() if predictor.spec.crop.mode == "box"
    }
    predictions = predict_crops(predictors, faces, options.seed)
    rows = {
        model: [row(kind, kinds) for kind in (GOOD, CORRUPTED, *DRIFTED, NO_FACE)]
        for model, kinds in predictions.items()
    }
    print(f"{len(faces)} faces, {machine()}, {date.today()}")
    for model, kinds in predictions.items():
        print(f"\n{table(model, rows[model])}")
        if options.out:
            save_figure(figure(model, kinds), options.out / f"score_{Path(model).stem}.png")
    if options.out:
        content = {
            "date": str(date.today()),
            "machine": machine(),
            "faces": len(faces),
            "models": rows,
        }
        atomic_write(options.out / "score.json", json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
