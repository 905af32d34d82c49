"""Recall and precision of the audit: 100 planted errors of five kinds in a copy of the YouTube
Faces labels.

    python benchmarks/audit.py [--data ../shared/data/youtube-faces --model small --faults 100
    --seed 0]

The copy holds the same images (links), but for those that are mirrored. Faults: a point moved by 20
to 40 % of the eye distance in any direction; both eyes swapped, half of them point by mirrored
point, half in the order that each has; two faces that have each other's points; an image mirrored
whose points kept their names; noise of 5 % of the eye distance along both axes of each point.
Coordinates are rounded again, as the published ones are. A planted fault counts as found if its
face is flagged at all, as named right if the audit says what was done to it; precision is the share
of the faces with that name that were planted so.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from facedots import IBUG68, KeypointPredictor, load_annotations, read_image
from facedots.annotations import FaceAnnotation, ReadOptions, annotations_csv
from facedots.audit import (
    LEFT_RIGHT_SWAPPED,
    MOVED_POINTS,
    OTHER_FACE,
    SCATTERED,
    Audit,
    audit_dataset,
)
from facedots.geometry import Floats
from facedots.io import atomic_write

EYES = (*IBUG68.regions["right_eye"], *IBUG68.regions["left_eye"])
SWAPPED = "right eye and left eye swapped"
KINDS = {
    "a point moved": MOVED_POINTS,
    "eyes swapped": SWAPPED,
    "another face's points": OTHER_FACE,
    "mirrored, names kept": LEFT_RIGHT_SWAPPED,
    "noise": SCATTERED,
}
Key = tuple[str, str]


def eye_distance(points: Floats) -> float:
    """In pixels."""
    right, left = IBUG68.norm_pair
    return float(np.linalg.norm(points[left] - points[right]))


def with_moved_point(points: Floats, rng: np.random.Generator) -> Floats:
    """One point moved by 20 to 40 % of the eye distance."""
    moved = points.copy()
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.4) * eye_distance(points)
    # Away from zero, so that rounding does not bring the point nearer than was meant.
    step = far * np.array([np.cos(angle), np.sin(angle)])
    moved[rng.integers(len(points))] += np.sign(step) * np.ceil(np.abs(step))
    return moved


def with_swapped_eyes(points: Floats, rng: np.random.Generator) -> Floats:
    """Both eyes under each other's names."""
    other = [IBUG68.flip[i] for i in EYES] if rng.random() < 0.5 else [*EYES[6:], *EYES[:6]]
    swapped = points.copy()
    swapped[list(EYES)] = points[other]
    return swapped


def with_noise(points: Floats, rng: np.random.Generator) -> Floats:
    """All points off by 5 % of the eye distance along each axis."""
    return np.asarray(points + rng.normal(0, 0.05 * eye_distance(points), points.shape), np.float32)


def plant(
    subsets: Mapping[str, list[FaceAnnotation]], folder: Path, count: int, rng: np.random.Generator
) -> dict[Key, str]:
    """Write the copy with its faults into a folder; returns the fault of each faulty face."""
    locations = [(subset, i) for subset, faces in subsets.items() for i in range(len(faces))]
    chosen = [
        locations[k] for k in rng.permutation(len(locations))[: count - count % (2 * len(KINDS))]
    ]
    groups = np.array_split(np.arange(len(chosen)), len(KINDS))
    copy = {subset: list(faces) for subset, faces in subsets.items()}
    change: dict[str, Callable[[Floats, np.random.Generator], Floats]] = {
        "a point moved": with_moved_point,
        "eyes swapped": with_swapped_eyes,
        "noise": with_noise,
    }
    planted: dict[Key, str] = {}
    mirrored: set[Key] = set()
    for kind, members in zip(KINDS, groups, strict=True):
        places = [chosen[int(k)] for k in members]
        partners = [*places[len(places) // 2 :], *places[: len(places) // 2]]
        for (subset, i), (other, j) in zip(places, partners, strict=True):
            face = subsets[subset][i]
            key = (subset, face.name)
            planted[key] = kind
            if kind in change:
                points = change[kind](face.points, rng)
            elif kind == "another face's points":
                points = subsets[other][j].points
            else:
                width = read_image(face.image, orient=False).shape[1]
                points = np.asarray(face.points * (-1, 1) + (width - 1, 0), np.float32)
                mirrored.add(key)
            copy[subset][i] = replace(face, points=points.round())
    for subset, faces in copy.items():
        for face in faces:
            put_image(face, folder / face.name, (subset, face.name) in mirrored)
        rows = [replace(face, name=Path(face.name).name) for face in faces]
        atomic_write(folder / f"{subset}_frames_keypoints.csv", annotations_csv(rows, IBUG68))
    return planted


def put_image(face: FaceAnnotation, target: Path, mirrored: bool) -> None:
    """A link to the image, or its mirror image, without loss."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not mirrored:
        target.symlink_to(Path(str(face.image)).resolve())
        return
    image = read_image(face.image, orient=False)[:, ::-1]
    bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    atomic_write(target, cv2.imencode(".png", bgr)[1].tobytes())


def print_table(audit: Audit, planted: dict[Key, str]) -> None:
    """Recall and precision by fault, and flags among the other faces, as Markdown."""
    rows = zip(audit.subset_of, audit.faces, audit.label_outliers.kinds, strict=True)
    kinds = {(subset, face.name): kind for subset, face, kind in rows}
    header = ("fault", "planted", "flagged", "named right", "this name", "precision of the name")
    print(f"| {' | '.join(header)} |\n{'|---' * len(header)}|")
    for fault, name in KINDS.items():
        keys = [key for key, value in planted.items() if value == fault]
        flagged = sum(bool(kinds[key]) for key in keys)
        right = sum(kinds[key] == name for key in keys)
        total = sum(value == name for value in kinds.values())
        precision = f"{100 * right / total:.0f} %" if total else "-"
        share = f"{flagged} ({100 * flagged / len(keys):.0f} %)"
        print(f"| {fault} | {len(keys)} | {share} | {right} | {total} | {precision} |")
    others = [kind for key, kind in kinds.items() if key not in planted]
    flagged, flags = sum(map(bool, others)), sum(map(bool, kinds.values()))
    percent = 100 * flagged / len(others)
    print(f"\nof the {len(others)} other faces {flagged} ({percent:.2f} %) are flagged")
    print(f"precision of a flag: {100 * (1 - flagged / max(1, flags)):.0f} %")


def print_repairs(
    audit: Audit, planted: dict[Key, str], subsets: Mapping[str, list[FaceAnnotation]]
) -> None:
    """How many wrong orders were corrected to exactly the original label."""
    before = {
        (subset, face.name): face.points for subset, faces in subsets.items() for face in faces
    }
    exact = wrong = 0
    for i, (subset, face, permutation) in enumerate(
        zip(audit.subset_of, audit.faces, audit.permutations, strict=True)
    ):
        if not permutation:
            continue
        key = (subset, face.name)
        truth = before[key]
        if planted.get(key) == "mirrored, names kept":
            width = audit.scan.sizes[i, 0]
            truth = (truth * (-1, 1) + (width - 1, 0))[list(IBUG68.flip)]
        exact += (same := bool(np.abs(audit.ordered[i] - truth).max() < 0.01))
        wrong += not same
    print(f"labels corrected by --fix: {exact} exactly, {wrong} to something else")


def main() -> None:
    """Plant, audit, print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/youtube-faces"))
    parser.add_argument("--model", default="small", help="none for shapes alone")
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    subsets = load_annotations(options.data, ReadOptions(origin=(0, 0))).subsets
    with tempfile.TemporaryDirectory() as folder:
        planted = plant(subsets, Path(folder), options.faults, np.random.default_rng(options.seed))
        start, work = time.perf_counter(), time.process_time()
        copy = load_annotations(folder, ReadOptions(origin=(0, 0))).subsets
        predictor = None if options.model == "none" else KeypointPredictor(options.model, refine=0)
        audit = audit_dataset(copy, IBUG68, predictor, options.model)
    seconds, processor = time.perf_counter() - start, time.process_time() - work
    print(f"{len(audit.faces)} faces, {len(planted)} with planted faults, seed {options.seed}")
    print(f"model: {options.model}")
    print(f"{seconds:.0f} s, {processor:.0f} s of processor time\n")
    print_table(audit, planted)
    print_repairs(audit, planted, subsets)


if __name__ == "__main__":
    main()
