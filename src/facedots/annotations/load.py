"""The one door to labeled faces: whatever data a path stands for, in every format."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from facedots.annotations.base import AnnotationFile, FaceAnnotation, Origin, read_json
from facedots.annotations.coco import CocoFile
from facedots.annotations.csv_table import CsvFile
from facedots.annotations.cvat import CvatFile
from facedots.annotations.exports import read_member, read_xml, zip_members
from facedots.annotations.image_files import ImageFinder
from facedots.annotations.known_sets import KnownLabels, recognize
from facedots.annotations.label_studio import LabelStudioFile
from facedots.annotations.packs import is_pack, read_subsets
from facedots.annotations.published_files import CofwFile, ListFile, PtsFolder, is_list
from facedots.annotations.schemas import schema_beside
from facedots.annotations.tool_files import ImglabFile, LabelmeFolder
from facedots.errors import AnnotationError, DataError, ImageError
from facedots.io.images import SUFFIXES
from facedots.schema import IBUG68, KeypointSchema

Subsets = Mapping[str, list[FaceAnnotation]]
"""The faces of each subset of a data set (a file, or a folder of files), by the subset's name."""

FORMATS: Mapping[str, type[AnnotationFile]] = MappingProxyType(
    {
        "csv": CsvFile,
        "coco": CocoFile,
        "label-studio": LabelStudioFile,
        "pts": PtsFolder,
        "cvat": CvatFile,
        "imglab": ImglabFile,
        "labelme": LabelmeFolder,
        "list": ListFile,
        "cofw": CofwFile,
    }
)
"""Readers by the format's name, in the order in which a folder is searched for them."""

WFLW_LISTS = "list_98pt_rect_attr_*.txt"
"""Where a folder has no other labels: the lists of WFLW's training and test faces below it."""

SUBSET_FOLDERS = ("train", "training", "val", "valid", "validation", "test", "testing")
"""Folders that are searched where a folder has no labels of its own: one subset each."""


@dataclass(frozen=True)
class ReadOptions:
    """How to read annotations; the defaults are right for most data.

    Attributes:
        format: One of :data:`FORMATS`, to read only this; None to find out.
        images: The folder with the images; None for the usual place: for ``x.csv`` the folder
            ``x``, else beside the file.
        origin: The coordinates that the files give to the center of the top-left pixel; None for
            those of the known set, else of the format. ``(0, 0)`` reads numbers as written.
        schema: What the points mean; None to take it from the data.

    Example:
        >>> ReadOptions(images=Path("photos"), origin=(1, 1)).format is None
        True
    """

    format: str | None = None
    images: Path | None = None
    origin: Origin | None = None
    schema: KeypointSchema | None = None


@dataclass(frozen=True, eq=False)
class AnnotationSet:
    """The labeled faces that a path stands for.

    Attributes:
        subsets: Name of the subset -> its faces.
        schema: What their points mean.
        empty: Images that were annotated and hold no face, by the ``group`` that faces would have.
            Known of exports of Label Studio (not of tasks that were skipped or not submitted), of
            CVAT (all its images without a face, whether looked at or not; frames of a video do not
            tell) and of dlib's imglab; other formats do not tell.

    Example:
        >>> data = load_annotations("data/youtube-faces")  # doctest: +SKIP
        >>> {name: len(faces) for name, faces in data.subsets.items()}  # doctest: +SKIP
        {'training': 3462, 'test': 770}
    """

    subsets: Subsets
    schema: KeypointSchema
    empty: Sequence[str] = ()

    @property
    def faces(self) -> list[FaceAnnotation]:
        """The faces of all subsets."""
        return [face for faces in self.subsets.values() for face in faces]


def load_annotations(source: str | Path, options: ReadOptions | None = None) -> AnnotationSet:
    """The labeled faces that a path stands for, and what their points mean.

    A folder stands for its files of the first of :data:`FORMATS` that is there; they may also be in
    a folder ``annotations`` (CVAT, COCO) or in folders ``train``, ``valid``, ``test`` (Roboflow),
    each a subset. A known data set (:data:`~facedots.annotations.known_sets.KNOWN_SETS`) is read
    with its facts, and a folder that holds folders of such sets stands for these. A pack
    (:mod:`facedots.annotations.packs`) is a folder or an address.

    The schema is that of the options, else of a ``schema.yaml`` beside the data or the images, else
    of the file: 68 points are iBUG's, COCO names its points in the category, CSV in the header.

    Returns:
        Subsets in a stable order. Names of faces are unique: where custom data have several
        subsets, they begin with the subset's name.

    Raises:
        DataError: There is nothing to read, or nothing names the points.
        AnnotationError: A file has faults.
    """
    path, options = Path(source), options or ReadOptions()
    if is_pack(source):
        if options.format or options.images or options.origin:
            fault = "a pack needs no --format, --images or --origin; leave them out"
            raise DataError(f"{source}: {fault}")
        return AnnotationSet(*read_subsets(source, options.schema))
    if options.format not in (None, *FORMATS):
        raise DataError(f"no format {options.format!r}: use one of {', '.join(FORMATS)}")
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    known = [labels for labels in recognize(path) if labels.path != path]
    if known := [labels for labels in known if options.format in (None, labels.known.format)]:
        return load_known(known, options)
    format, places = _files_of(path, options.format)
    files = [_opened(place, format, options) for place in places]
    schema = options.schema or schema_beside(path, options.images)
    entries = [(_subset_of(file.path), file) for file in files]
    return _read(entries, schema or files[0].schema(), options)


def load_same_points(source: str | Path, schema: KeypointSchema, like: str | Path) -> AnnotationSet:
    """The labeled faces of ``source``, to go with those of ``like``, which have this schema.

    Raises:
        DataError: The two have different points, or see :func:`load_annotations`.
    """
    own = schema_beside(source) or schema
    try:
        if own.names == schema.names:
            return load_annotations(source, ReadOptions(schema=schema))
    except (AnnotationError, DataError):
        with contextlib.suppress(AnnotationError, DataError):
            own = load_annotations(source).schema
        if own.names == schema.names:
            raise
    sets = (f"{path} has {of.count} ({of.name})" for path, of in ((source, own), (like, schema)))
    raise DataError(f"the two sets have different points: {', '.join(sets)}")


def load_known(entries: Sequence[KnownLabels], options: ReadOptions) -> AnnotationSet:
    """The faces of known data sets, with the facts of their sets."""
    several = len({entry.known.name for entry in entries}) > 1
    files = []
    for labels in entries:
        known = labels.known
        subset = labels.prefix if known.subsets else known.name
        if several and subset != known.name:
            subset = f"{known.name}/{subset}"
        files.append((subset, FORMATS[known.format](labels.path)))
    return _read(files, options.schema or IBUG68, options)


def _read(
    entries: Sequence[tuple[str, AnnotationFile]], schema: KeypointSchema, options: ReadOptions
) -> AnnotationSet:
    """The faces of opened files, each with the name of its subset."""
    subsets: dict[str, list[FaceAnnotation]] = {}
    for subset, file in entries:
        labels = _known_labels(file.path)
        origin = options.origin or (labels.known.origin if labels else None)
        faces = file.faces(options.images, schema, origin)
        if labels:
            faces = labels.known.with_facts(faces, labels.prefix, schema)
        elif len(entries) > 1:
            faces = [replace(face, name=f"{subset}/{face.name}") for face in faces]
        subsets.setdefault(subset, []).extend(faces)
    return AnnotationSet(subsets, schema, [image for _, file in entries for image in file.empty])


def _files_of(path: Path, format: str | None) -> tuple[str, list[Path]]:
    """The format of the annotations that a path stands for, and what its reader opens.

    Of several files those for training come first: what two subsets share is reported of the later.
    """
    formats = [format] if format else list(FORMATS)
    if path.is_file():
        fitting = [name for name in formats if format or _may_be(name, path)]
        if not fitting:
            raise DataError(
                f"{path}: the file's ending does not tell its format; "
                f"give --format, one of {', '.join(FORMATS)}"
            )
        if fitting[0] == "pts":
            raise DataError(f"{path}: one .pts file; give its folder {path.parent}")
        return fitting[0], [path]
    if not path.is_dir():
        raise DataError(f"{path}: neither a file nor a folder")
    for name in formats:
        if name == "pts":
            files = [path] if any(_may_be(name, file) for file in path.rglob("*")) else []
        else:
            files = _search(path, name)
        if files and (name == "labelme" or (name == "coco" and not format and _is_labelme(files))):
            return "labelme", [path]
        if files:
            return name, sorted(files, key=_training_first)
    endings = dict.fromkeys(f"*{ending}" for name in formats for ending in FORMATS[name].endings)
    raise DataError(f"{path}: no annotations here ({' or '.join(endings)})")


def _may_be(format: str, file: Path) -> bool:
    """Whether a file has an ending of a format; of texts, whether it is a list of faces."""
    fits = file.suffix.lower() in FORMATS[format].endings
    return fits and (format != "list" or is_list(file))


def _search(folder: Path, format: str) -> list[Path]:
    """The files of a format in a folder; else in its folder ``annotations``, as of CVAT and COCO;
    else in its folders of subsets, as of Roboflow; else WFLW's lists below it.
    """
    folders = [entry for entry in sorted(folder.iterdir()) if entry.is_dir()]
    subsets = [entry for entry in folders if entry.name.lower() in SUBSET_FOLDERS]
    labels = [entry for entry in folders if entry.name.lower() in ("annotations", "labels")]
    for places in ([folder], labels, subsets):
        entries = [entry for place in places for entry in place.iterdir()]
        visible = [entry for entry in entries if not entry.name.startswith(".")]
        if files := [entry for entry in visible if entry.is_file() and _may_be(format, entry)]:
            return files
    return list(folder.rglob(WFLW_LISTS)) if format == "list" else []


def _is_labelme(files: Sequence[Path]) -> bool:
    """Whether JSON files are labelme's, one per image, by the first."""
    first = read_json(files[0], "annotations")
    return isinstance(first, dict) and "shapes" in first


def _training_first(file: Path) -> tuple[bool, str, str]:
    subset = _subset_of(file)
    return not subset.startswith("train"), subset, file.name


def _opened(path: Path, format: str, options: ReadOptions) -> AnnotationFile:
    """A parsed file; without a chosen format, JSON, XML and ZIP are recognized by their content."""
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return _unzipped(path, options)
    if options.format is not None or not path.is_file():
        return FORMATS[format](path)
    if suffix == ".xml":
        root = read_xml(path, lambda names: names[0])
        return (ImglabFile if root.tag == "dataset" else CvatFile)(path, root)
    if suffix == ".json":
        content = read_json(path, "COCO keypoints or of Label Studio's tasks")
        if isinstance(content, dict) and "shapes" in content:
            return LabelmeFolder(path)
        return (LabelStudioFile if isinstance(content, list) else CocoFile)(path, content)
    return FORMATS[format](path)


def _unzipped(path: Path, options: ReadOptions) -> AnnotationFile:
    """The labels in a ZIP archive: CVAT's XML, or one COCO file."""
    names = zip_members(path)
    images = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
    if images and options.images is None:
        try:
            ImageFinder(path.parent).find(images[0])
        except ImageError:
            raise DataError(f"{path}: holds images, too; unpack it and give the folder") from None
    labels = [name for name in names if name.endswith(".json")]
    if len(labels) != 1 or options.format == "cvat":
        return CvatFile(path)
    content = read_json(path / labels[0], "COCO keypoints", read_member(path, labels[0]))
    return CocoFile(path, content)


def _subset_of(path: Path) -> str:
    """The name of the subset that a file, or a folder of ``.pts`` files, is."""
    labels, place = _known_labels(path), path.resolve()
    if labels or place.is_dir():
        return labels.prefix if labels else place.name
    folder = place.parent.name
    name = place.stem.removeprefix(WFLW_LISTS.partition("*")[0])
    return folder if folder.lower() in SUBSET_FOLDERS else name


def _known_labels(path: Path) -> KnownLabels | None:
    """The known set's labels that a file, or a folder of ``.pts`` files, is."""
    return next((labels for labels in recognize(path) if labels.path == path), None)
