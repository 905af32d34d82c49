"""``--fix``: what is certain is mended in a copy, and each change is listed. The data themselves
are never written to.

Certain is: a wrong order of points, where undoing it brings the label to where the network or the
other shapes put it; and a face that is labeled twice, in two files of the same bytes. A suspicious
label may still be right, so those go only on request.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from facedots.annotations.csv_points import annotations_csv
from facedots.annotations.load import LABELS
from facedots.audit.audit import AGAINST, Audit
from facedots.audit.findings import same_bytes
from facedots.geometry import Matrix, box_iou, tight_boxes
from facedots.io.files import atomic_write

SAME_FACE = 0.5
"""Two labels of one image mean the same face if their boxes overlap by more (IoU)."""


@dataclass(frozen=True)
class Change:
    """What was done to one face.

    Attributes:
        part: Of which part.
        name: The face, as the annotations have it.
        image: Its file.
        action: ``"mended"`` or ``"dropped"``.
        reason: A few words.
        order: Where it was mended: new point ``i`` is old point ``order[i]``, after mirroring the
            points if ``turned``.
        turned: The points were mirrored: x became the image's width - 1 - x.
    """

    part: str
    name: str
    image: str
    action: Literal["mended", "dropped"]
    reason: str
    order: tuple[int, ...] | None = None
    turned: bool = False


def changes(audit: Audit, drop_suspicious: bool = False) -> dict[int, Change]:
    """What to do to which face, by its index.

    Args:
        audit: What was found.
        drop_suspicious: Drop faces that are suspicious, too, unless they are mended.
    """
    result: dict[int, Change] = {}
    for i, reason in _repeated(audit).items():
        result[i] = Change(
            audit.part_of[i], audit.faces[i].name, str(audit.faces[i].image), "dropped", reason
        )
    for i, (mistake, kind) in enumerate(
        zip(audit.permutations, audit.label_outliers.kinds, strict=True)
    ):
        named = (audit.part_of[i], audit.faces[i].name, str(audit.faces[i].image))
        if i in result:
            continue
        if mistake:
            result[i] = Change(*named, "mended", mistake.name, mistake.order, mistake.turned)
        elif kind and drop_suspicious:
            result[i] = Change(*named, "dropped", f"suspicious: {kind}")
    return dict(sorted(result.items()))


def write_clean(audit: Audit, changed: Mapping[int, Change], folder: str | Path) -> list[Path]:
    """Write one cleaned CSV a part, and ``changes.json``, into a folder.

    The CSVs have the names of the images as the annotations have them, relative to the folder that
    these were read from. Coordinates are pixels to two decimals; (0, 0) is the center of the
    top-left one, whatever the source counted from.

    Returns:
        The files.

    Raises:
        OutputError: The folder cannot be written.
    """
    root = Path(folder)
    left = [i for i in range(len(audit.faces)) if i not in changed or changed[i].action == "mended"]
    written = []
    for part in audit.parts:
        kept = [
            replace(audit.faces[i], points=audit.ordered[i].astype(np.float32))
            for i in left
            if audit.part_of[i] == part
        ]
        written.append(root / f"{part.replace('/', '-')}{LABELS}.csv")
        atomic_write(written[-1], annotations_csv(kept, audit.schema))
    counts = Counter(change.action for change in changed.values())
    listed = {
        "mended": counts["mended"],
        "dropped": counts["dropped"],
        "changes": [_plain(change) for change in changed.values()],
    }
    written.append(root / "changes.json")
    atomic_write(written[-1], json.dumps(listed, indent=1) + "\n")
    return written


def _repeated(audit: Audit) -> dict[int, str]:
    """The faces that are labeled again in a file of the same bytes, and where the one that stays
    is.

    Within a part the first stays. Across parts that of the later part stays, which is the exam;
    what the data are compared with always stays.
    """
    faces_of: defaultdict[tuple[str, Path], list[int]] = defaultdict(list)
    for i, face in enumerate(audit.faces):
        faces_of[audit.part_of[i], face.image].append(i)
    order = {part: rank for rank, part in enumerate(audit.parts)}
    found: dict[int, str] = {}
    for first, second in same_bytes(audit):
        kept, lost = audit.images[first], audit.images[second]
        if lost.part.startswith(AGAINST) or order.get(lost.part, -1) > order.get(
            kept.part, len(order)
        ):
            kept, lost = lost, kept
        stays = faces_of[kept.part, kept.path]
        for i in faces_of[lost.part, lost.path]:
            if kept.part.startswith(AGAINST) or any(
                _same_face(audit.labels[i], audit.labels[j]) for j in stays
            ):
                found[i] = f"the same file as {kept.part}/{kept.path.name}"
    return found


def _same_face(first: Matrix, second: Matrix) -> bool:
    return bool(box_iou(tight_boxes(first[None]), tight_boxes(second[None]))[0, 0] > SAME_FACE)


def _plain(change: Change) -> dict[str, Any]:
    fields = asdict(change)
    return (
        fields
        if change.order
        else {name: value for name, value in fields.items() if name not in ("order", "turned")}
    )
