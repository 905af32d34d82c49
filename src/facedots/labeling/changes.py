"""What people changed: the corrected faces beside those that were predicted."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.geometry import Floats, Matrix, tight_boxes
from facedots.schema import KeypointSchema
from facedots.tracking.track import assign

MOVED = 0.05
"""Pixels beyond which a point counts as moved; tools round to hundredths."""

SAME = 1.0
"""Sides of its box by which the points of a face may move on average and it is still the same face."""

COLUMNS = ("name", "change", "point", "distance", "old_x", "old_y", "new_x", "new_y")


@dataclass(frozen=True, eq=False)
class FaceChange:
    """A face before and after.

    Attributes:
        name: The corrected face's; the image's, where the face was taken out.
        before: ``float32 (K, 2)``, pixels; all NaN where the face was added.
        after: The same; all NaN where the face was taken out.
    """

    name: str
    before: Floats
    after: Floats

    @property
    def distances(self) -> Matrix:
        """Pixels by which each point moved, ``(K,)``; NaN where it is missing before or after."""
        return np.asarray(np.linalg.norm(np.asarray(self.after, np.float64) - self.before, axis=1))

    @property
    def moved(self) -> Matrix:
        """The distances of the points that moved by more than :data:`MOVED`, in no matter what
        order.
        """
        return self.distances[self.distances > MOVED]

    @property
    def kind(self) -> str:
        """``"added"``, ``"removed"``, ``"corrected"`` or ``"kept"``."""
        if np.isnan(self.before).all():
            return "added"
        if np.isnan(self.after).all():
            return "removed"
        same = (np.isnan(self.before) == np.isnan(self.after)).all() and not len(self.moved)
        return "kept" if same else "corrected"


def find_changes(
    predicted: Mapping[str, Sequence[Floats]], corrected: Iterable[FaceAnnotation]
) -> list[FaceChange]:
    """What became of the faces of the images that were corrected, image by image.

    Faces before and after are paired so that their points move least in all; a face that would move
    further than its own size counts as taken out, and another as added.

    Args:
        predicted: Image -> the points ``(K, 2)`` of its faces.
        corrected: Faces by people; ``group`` is the image.
    """
    groups: dict[str, list[FaceAnnotation]] = {}
    for face in corrected:
        groups.setdefault(face.group, []).append(face)
    return [
        change
        for group, faces in groups.items()
        for change in _of_image(group, predicted.get(group, ()), faces)
    ]


def _of_image(
    image: str, before: Sequence[Floats], after: Sequence[FaceAnnotation]
) -> list[FaceChange]:
    pairs = (
        assign([[_distance(old, new.points) for new in after] for old in before], SAME)
        if before
        else []
    )
    old_of = {new: old for old, new in pairs}
    kept = [
        FaceChange(
            face.name,
            before[old_of[i]] if i in old_of else np.full_like(face.points, np.nan),
            face.points,
        )
        for i, face in enumerate(after)
    ]
    gone = set(range(len(before))) - set(old_of.values())
    return kept + [
        FaceChange(image, before[i], np.full_like(before[i], np.nan)) for i in sorted(gone)
    ]


def _distance(old: Floats, new: Floats) -> float:
    """How far the points moved on average, in sides of the old face's box; infinite where no point
    is in both.
    """
    there = np.isfinite(old).all(axis=1) & np.isfinite(new).all(axis=1)
    if not there.any():
        return float("inf")
    box = tight_boxes(old[None])[0]
    return float(
        np.linalg.norm(old[there] - new[there], axis=1).mean()
        / max(box[2] - box[0], box[3] - box[1], 1e-6)
    )


def changes_csv(changes: Iterable[FaceChange], schema: KeypointSchema) -> str:
    """A CSV table with a row for each point that moved, was put or was taken away, and for each
    face added or removed.

    Columns are :data:`COLUMNS`; distances and places are in pixels of the stored image, and empty
    where there is none.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for change in changes:
        if change.kind in ("added", "removed"):
            table.writerow([change.name, f"face {change.kind}", *[""] * 6])
            continue
        for name, old, new, distance in zip(
            schema.names, change.before, change.after, change.distances, strict=True
        ):
            what = _what(old, new, float(distance))
            if what:
                cells = [
                    "" if np.isnan(value) else f"{value:.2f}"
                    for value in (float(distance), *old.tolist(), *new.tolist())
                ]
                table.writerow([change.name, what, name, *cells])
    return text.getvalue()


def _what(old: Floats, new: Floats, distance: float) -> str:
    """What happened to a point, in a word; empty if nothing did."""
    was, is_there = bool(np.isfinite(old).all()), bool(np.isfinite(new).all())
    if was and is_there:
        return "moved" if distance > MOVED else ""
    return {(True, False): "removed", (False, True): "added"}.get((was, is_there), "")


def summary(changes: Sequence[FaceChange]) -> list[str]:
    """Lines that say how many faces and points were changed, and by how much."""
    kinds = [change.kind for change in changes]
    counted = [
        f"{kinds.count(kind)} {kind}"
        for kind in ("kept", "corrected", "added", "removed")
        if kind in kinds
    ]
    compared = [change for change in changes if change.kind in ("kept", "corrected")]
    lines = [f"faces: {', '.join(counted) or 'none'}"]
    if not compared:
        return lines
    moved = np.concatenate([change.moved for change in compared])
    points = sum(int(np.isfinite(change.distances).sum()) for change in compared)
    far = (
        f", by {np.median(moved):.2f} px in the median and {moved.max():.2f} px at most"
        if len(moved)
        else ""
    )
    lines.append(f"points: {len(moved)} of {points} moved{far}")
    put = sum(
        int((np.isnan(change.before[:, 0]) & ~np.isnan(change.after[:, 0])).sum())
        for change in compared
    )
    taken = sum(
        int((~np.isnan(change.before[:, 0]) & np.isnan(change.after[:, 0])).sum())
        for change in compared
    )
    if put or taken:
        lines.append(f"points: {put} added, {taken} taken away")
    worst = sorted(
        (change for change in compared if len(change.moved)),
        key=lambda change: -float(change.moved.max()),
    )[:5]
    lines += [
        f"  {change.name}: {len(change.moved)} moved, by {change.moved.max():.2f} px at most"
        for change in worst
    ]
    return lines
