"""What the columns of a CSV file of labels hold, by its header."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facedots.io.images import SUFFIXES

HIDDEN = "hidden"
"""As in ``nose_hidden``, the column that tells with 1 or 0 whether the point is hidden."""

_NAMES = (
    *("image", "image_name", "image_path", "img", "image_file", "filename", "file_name", "file"),
    *("path", "filepath", "file_path", "name", "source", "picture", "photo"),
)
"""Headers of a column of images, the likeliest first."""

_NUMBER_LAST = re.compile(r"(?P<label>|.*[_. -])(?P<axis>[xyXY])[_. -]?(?P<number>\d+)")
_AXIS_LAST = re.compile(r"(?P<label>.*?)(?:[_. -]|(?<=\d)|(?<=[a-z])(?=[XY]))(?P<axis>[xyXY])")
_AXIS_FIRST = re.compile(r"(?P<axis>[xyXY])[_. -](?P<label>.+)")
_AXIS_ALONE = re.compile(r"(?P<axis>[xyXY])(?P<label>)")

_PIXELS = re.compile(r"\s*\d+(\s+\d+){99,}\s*")


@dataclass(frozen=True)
class Columns:
    """Where a CSV file has what, by index of the column.

    Attributes:
        count: Columns of the header.
        labels: What the header calls each point; empty where it does not tell x from y.
        pairs: Of each point, its x and its y.
        image: The image's name.
        pixels: The pixels of the image, as in Kaggle's file.
        tracked: Rows are faces of an image or a video, as OpenFace and facedots write them.
        success: 0 where no face was found, as in these tables.
        likelihoods: DeepLabCut's, of each point.
        hidden: Of each point, whether it is hidden.
        size: Width and height of the image when it was labeled.
    """

    count: int
    labels: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    image: int | None = 0
    pixels: int | None = None
    tracked: bool = False
    success: int | None = None
    likelihoods: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    size: tuple[int, ...] = ()


def find_columns(header: Sequence[str], row: Sequence[str]) -> Columns:
    """The columns of a header, told by its names and by the first row of values.

    A header that calls no column x or y is taken as image, x, y, x, y, ….

    >>> find_columns(["y0", "x0", "file"], ["1", "2", "a.jpg"]).pairs
    ((1, 0),)
    """
    names = [re.sub(r"[\[\]()'\"]", "", cell).strip() for cell in header]
    labels, pairs = _points(names)
    if not pairs:
        pairs = tuple((x, x + 1) for x in range(1, len(names) - 1, 2))
        return Columns(len(names), (), pairs)
    used = {column for pair in pairs for column in pair}
    rest = {i: name.lower() for i, name in enumerate(names) if i not in used}
    tracked = any(name in ("success", "face", "face_id") for name in rest.values())
    certain = {name: i for i, name in rest.items()}

    def of_points(end: str) -> tuple[int, ...]:
        wanted = [f"{label.lower()}_{end}" for label in labels]
        return tuple(certain[name] for name in wanted) if {*wanted} <= {*certain} else ()

    names_of_size = [(f"{of}width", f"{of}height") for of in ("image_", "image", "img_", "")]
    return Columns(
        len(names),
        labels,
        pairs,
        image=_image(rest, row, tracked),
        pixels=next((i for i in rest if i < len(row) and _PIXELS.fullmatch(row[i])), None),
        tracked=tracked,
        success=next((i for i, name in rest.items() if name == "success"), None),
        likelihoods=of_points("likelihood"),
        hidden=of_points(HIDDEN),
        size=next(((certain[w], certain[h]) for w, h in names_of_size if {w, h} <= {*certain}), ()),
    )


def _image(names: dict[int, str], row: Sequence[str], tracked: bool) -> int | None:
    """The column with the image's name: by the cells of a row, by the header, else the first."""
    cells = {i: row[i].partition("#")[0] for i in names if i < len(row)}
    images = [i for i, cell in cells.items() if Path(cell).suffix.lower() in SUFFIXES]
    called = [i for name in _NAMES for i in names if names[i] == name]
    fitting = [i for i in called if not _PIXELS.fullmatch(cells.get(i, ""))]
    both = [i for i in fitting if i in images]
    first = [] if tracked else [i for i in names if i == 0]
    return next(iter([*both, *images, *fitting, *first]), None)


def _points(names: list[str]) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """The labels of the points, and the columns of x and of y of each.

    Where a point has both small and capital letters, the capitals are skipped: OpenFace's X and Y
    are millimeters.
    """
    places: dict[str, dict[str, list[int]]] = {axis: {} for axis in "xyXY"}
    for column, name in enumerate(names):
        for pattern in (_AXIS_ALONE, _NUMBER_LAST, _AXIS_LAST, _AXIS_FIRST):
            if match := pattern.fullmatch(name):
                groups = match.groupdict()
                label = f"{groups['label']}{groups.get('number') or ''}".strip("_. -")
                places[groups["axis"]].setdefault(label, []).append(column)
                break
    for axis in "xy":
        places[axis] = places[axis.upper()] | places[axis]
    found = [
        (label, pair)
        for label, columns in places["x"].items()
        for pair in zip(columns, places["y"].get(label, ()), strict=False)
    ]
    found.sort(key=lambda each: min(each[1]))
    repeated = len({label for label, _ in found}) < len(found)
    labels = [str(i) if repeated else label for i, (label, _) in enumerate(found)]
    return tuple(labels), tuple(pair for _, pair in found)
