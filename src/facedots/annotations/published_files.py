"""Files of published data sets: 300-W's ``.pts``, one per face beside the image of the same name;
lists of WFLW and AFLW with a face a line; COFW's ``.mat``.
"""

import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from facedots.annotations.base import (
    AnnotationFile,
    FaceAnnotation,
    Origin,
    bad_cells,
    cached_image,
    face_names,
    measured_pixels,
    read_text,
    to_numbers,
    to_pixels,
)
from facedots.annotations.image_files import ImageFinder
from facedots.annotations.schemas import SCHEMA_HINT, point_order, schema_of_count
from facedots.errors import AnnotationError, DataError, ImageError, explain_missing_extra
from facedots.geometry import Image, Matrix
from facedots.io.headers import MAX_PIXELS
from facedots.io.images import SUFFIXES
from facedots.schema import COFW29, IBUG68, WFLW98, KeypointSchema

MAX_SIZE = 1 << 20  # characters of a .pts file
WFLW_EXTRA = 10  # numbers of a box and six attributes behind the points


class PtsFolder(AnnotationFile):
    """All ``.pts`` files in a folder and below it, sorted by name, beside their images.

    The group is the photo, see :func:`photo_id`. The points may stand without a header, with commas
    between, and may be missing (NaN, or 0 or -1 twice).

    Example:
        >>> faces = PtsFolder("300w/afw").faces()  # doctest: +SKIP
    """

    endings: ClassVar[tuple[str, ...]] = (".pts",)
    origin: ClassVar[Origin] = (1.0, 1.0)

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        # Hidden ones are no labels: macOS leaves ._NAME beside each NAME on foreign disks.
        entries = sorted(file for file in self.path.rglob("*") if not file.name.startswith("."))
        self._images = {e.with_suffix(""): e for e in entries if e.suffix.lower() in SUFFIXES}
        files = [entry for entry in entries if entry.suffix.lower() == ".pts" and entry.is_file()]
        self._files = {entry: _parsed(entry) for entry in files}

    def schema(self) -> KeypointSchema:
        """That of as many points as the first file has."""
        file, (points, _) = next(iter(self._files.items()), (self.path, (None, [])))
        count = 0 if points is None else len(points)
        if schema := schema_of_count(count, file):
            return schema
        raise DataError(f"{file}: {count} points, and .pts files do not name them; {SCHEMA_HINT}")

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        faults = [] if self._files else ["no .pts file in this folder"]
        files, points = list[Path](), list[Matrix]()
        alone = self._images.keys() - {file.with_suffix("") for file in self._files}
        others = {(stem.parent, stem.name.lower()): self._images[stem] for stem in sorted(alone)}
        for file, (written, problems) in self._files.items():
            wrong = list(problems)
            order = list[int]()
            if written is not None:
                try:
                    order = point_order([str(i) for i in range(len(written))], schema)
                except DataError:
                    wrong.insert(0, f"{schema.count} points expected, found {len(written)}")
            stem = file.with_suffix("")
            image = self._images.get(stem) or others.pop((stem.parent, stem.name.lower()), None)
            if image is None:
                wrong.append("no image of the same name beside it")
            elif written is not None and not wrong:
                files.append(image)
                points.append(written[order])
            faults += [f"{file.relative_to(self.path)}: {fault}" for fault in wrong]
        if faults:
            raise AnnotationError(self.path, faults)
        names = [file.relative_to(self.path).as_posix() for file in files]
        placed = measured_pixels(self, names, points, origin)
        faces = map(FaceAnnotation, files, placed, names, map(photo_id, names))
        return [face for face in faces if not np.isnan(face.points).all()]


def photo_id(name: str) -> str:
    """The photo of a 300-W face, which may hold several: ``<photo>_<face>`` after a digit.

    >>> photo_id("afw/111076519_2.jpg"), photo_id("lfpw/trainset/image_0226.jpg")
    ('afw/111076519', 'lfpw/trainset/image_0226')
    """
    return re.sub(r"(?<=\d)_[1-9]\d?$", "", Path(name).with_suffix("").as_posix())


def _parsed(file: Path) -> tuple[Matrix | None, list[str]]:
    """The coordinates ``(n, 2)`` between braces, or of all lines where there are none; None for
    another kind of file; and its faults.
    """
    try:
        text = read_text(file, "a .pts file")
        if len(text) > MAX_SIZE:
            return None, [f"not a .pts file of a face: larger than {MAX_SIZE >> 10} kB"]
    except AnnotationError as error:
        return None, error.faults
    numbered = enumerate(text.splitlines(), start=1)
    lines = [(number, re.split(r"[\s,;]+", line.strip())) for number, line in numbered]
    lines = [(number, words) for number, words in lines if words != [""]]
    braces = [i for i, (_, words) in enumerate(lines) if words in (["{"], ["}"])]
    first = lines[0][1] if lines and not braces else []
    if len(first) == 2 and not np.isnan(to_numbers(first)).any():
        braces = [-1, len(lines)]
    if len(braces) != 2 or (braces[0] >= 0 and lines[braces[0]][1] != ["{"]):
        return None, ["not a .pts file: a header, then the points between { and }, one per line"]
    named = [words for _, words in lines[: max(braces[0], 0)] if words[0].startswith("n_points")]
    lines = lines[braces[0] + 1 : braces[1]]
    points, faults = np.full((len(lines), 2), np.nan), list[str]()
    for i, (number, words) in enumerate(lines):
        if len(words) != 2:
            faults.append(f"line {number}: two numbers expected, found {len(words)}")
        elif any(word.lower() not in ("nan", "na") for word in words):
            points[i] = to_numbers(words)
            wrong = [(j + 1, words[j]) for j in (0, 1) if np.isnan(points[i, j])]
            faults += [f"line {number}: {fault}" for fault in bad_cells(wrong, "place")]
    count = "".join(named[0]).removeprefix("n_points:") if named else ""
    if count.isdecimal() and int(count[:9]) != len(lines):
        faults.insert(0, f"n_points is {count[:9]}, but lines between the braces: {len(lines)}")
    return points, faults


class ListFile(AnnotationFile):
    """A text list with a line per face: the image, first or last, and numbers between blanks or
    commas.

    The numbers are x and y of each point, or x, y and visibility, where 0 is missing. WFLW's lists
    have 98 points, a box and six attributes; box and attributes are skipped. Images are found as
    :class:`~facedots.annotations.image_files.ImageFinder` does, in the nearest folder
    ``WFLW_images``, else beside the file.

    Example:
        >>> faces = ListFile("list_98pt_rect_attr_train.txt").faces()  # doctest: +SKIP
    """

    endings: ClassVar[tuple[str, ...]] = (".txt", ".list", ".lst")

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        lines = read_text(self.path, "a list of faces").splitlines()
        parsed = ((i, _image_and_numbers(line)) for i, line in enumerate(lines, start=1))
        self._lines = [(i, image, numbers) for i, (image, numbers) in parsed if image or numbers]
        self._count = len(self._lines[0][2]) if self._lines else 0

    @property
    def image_folder(self) -> Path:
        """The nearest folder ``WFLW_images``, else that of the file."""
        places = [folder / "WFLW_images" for folder in self.path.resolve().parents[:3]]
        return next((place for place in places if place.is_dir()), self.path.parent)

    def schema(self) -> KeypointSchema:
        """WFLW98, IBUG68, or AFLW's points where the path names that set, by the numbers a line."""
        for count in (WFLW98.count, self._count // 2, self._count // 3):
            if self._step(count) and (schema := schema_of_count(count, self.path)):
                return schema
        what = f"{self._count} numbers a line do not tell what they mean"
        raise DataError(f"{self.path}: {what}; {SCHEMA_HINT}")

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        wflw = schema == IBUG68 and self._step(WFLW98.count) > 0
        count = WFLW98.count if wflw else schema.count
        if not (step := self._step(count)):
            several = f"{2 * count} numbers expected (x and y of {count} points)"
            fault = f"{several}, found {self._count}" if self._count else "no line has numbers"
            raise AnnotationError(self.path, [fault])
        order = point_order([str(i) for i in range(count)], schema)
        finder, faults = ImageFinder(images), list[str]()
        files, points = list[Path](), list[Matrix]()
        for line, image, numbers in self._lines:
            if len(numbers) != self._count or not image:
                wrong = [f"an image and {self._count} numbers expected, found {len(numbers)}"]
            else:
                values = to_numbers(numbers[: step * count])
                bad = [(i + 1, numbers[i]) for i in np.flatnonzero(np.isnan(values)).tolist()]
                wrong = bad_cells(bad, "place")
                face = values.reshape(count, step)[order]
                points.append(
                    np.where(face[:, 2:] == 0, np.nan, face[:, :2]) if step == 3 else face
                )
            try:
                files += [finder.find(image)] if image else []
            except ImageError as error:
                wrong.append(str(error))
            faults += [f"line {line}: {fault}" for fault in wrong]
        if faults:
            raise AnnotationError(self.path, faults)
        groups = [image for _, image, _ in self._lines]
        names = face_names(groups)
        placed = measured_pixels(self, names, points, origin)
        faces = map(FaceAnnotation, files, placed, names, groups)
        return [face for face in faces if not np.isnan(face.points).all()]

    def _step(self, count: int) -> int:
        """Numbers per point, where a line may hold ``count`` points; else 0."""
        if self._count in (2 * count, 2 * count + WFLW_EXTRA):
            return 2
        return 3 if self._count == 3 * count else 0


def is_list(path: Path) -> bool:
    """Whether a text file is a list of faces, by its first line: an image and eight numbers."""
    try:
        with path.open("rb") as file:
            image, numbers = _image_and_numbers(file.readline(1 << 16).decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return False
    return len(numbers) >= 8 and Path(image).suffix.lower() in SUFFIXES


def _image_and_numbers(line: str) -> tuple[str, list[str]]:
    """The words of a line that name the image, first or last, and its numbers."""
    words = re.split(r"[\s,;]+", line.strip())
    known = ~np.isnan(to_numbers(words))
    if not known.any():
        return " ".join(words), []
    first, last = int(known.argmax()), len(words) - int(known[::-1].argmax())
    return " ".join(words[:first] or words[last:]), words[first:last]


class CofwFile(AnnotationFile):
    """COFW's ``COFW_train_color.mat`` or ``COFW_test_color.mat`` (MATLAB 7.3): images, and x, y and
    occlusion of 29 points each.

    Occluded points are labeled, and hidden. The images are written to ``~/.cache/facedots``.

    Raises:
        AnnotationError: It is another file.
        MissingExtra: ``h5py`` is not installed.

    Example:
        >>> faces = CofwFile("COFW_test_color.mat").faces()  # doctest: +SKIP
    """

    endings: ClassVar[tuple[str, ...]] = (".mat",)
    origin: ClassVar[Origin] = (1.0, 1.0)

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        with explain_missing_extra():
            import h5py
        try:
            with h5py.File(self.path, "r") as file:
                self._labels, self._images = _cofw_content(file, h5py)
        except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            fault = f"not COFW's color images and labels in a .mat file of MATLAB 7.3: {error}"
            raise AnnotationError(self.path, [fault]) from error

    def schema(self) -> KeypointSchema:
        """COFW29."""
        return COFW29

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        if schema.count != COFW29.count:
            raise AnnotationError(self.path, [f"29 points, {schema.count} expected"])
        x, y, occluded = np.split(self._labels, 3, axis=1)
        self.notes.append(f"{(occluded > 0).mean():.0%} of the points are marked as occluded")
        points = to_pixels(np.stack([x, y], axis=-1), origin)
        names = [f"{self.path.stem}-{i:05}" for i in range(len(points))]
        return [
            FaceAnnotation(file, face, name, name, visible=(hidden == 0).astype(np.float32))
            for file, face, name, hidden in zip(self._images, points, names, occluded, strict=True)
        ]


def _cofw_content(file: Any, h5py: Any) -> tuple[Matrix, list[Path]]:
    """The labels ``(N, 87)`` and the images' files."""
    end = "Tr" if "phisTr" in file else "T"
    for name in (f"phis{end}", f"Is{end}"):
        if not isinstance(file.get(name, getlink=True), h5py.HardLink) or file[name].size > 1e7:
            raise ValueError(f"no {name} in it")
    labels = np.asarray(file[f"phis{end}"], np.float64).T
    references = np.ravel(file[f"Is{end}"])
    if labels.shape != (len(references), 3 * COFW29.count) or not np.isfinite(labels).all():
        raise ValueError(f"labels of the shape {labels.shape} for {len(references)} images")
    return labels, [_cofw_image(file[reference]) for reference in references]


def _cofw_image(data: Any) -> Path:
    """The file of an image, which MATLAB has as uint8 of channels, columns, rows."""
    color = data.ndim == 3 and len(data) == 3
    if data.dtype != np.uint8 or not (color or data.ndim == 2) or data.size > 3 * MAX_PIXELS:
        raise ValueError(f"an image of the shape {data.shape} and the type {data.dtype}")
    if data.external:
        raise ValueError("an image in another file")
    image: Image = np.ascontiguousarray(np.asarray(data).T)
    return cached_image(repr(image.shape).encode() + image.tobytes(), lambda: image)
