"""A network measured, with all that a report says of it, and its file: reports of several networks
are made from these.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from facedots.errors import DataError
from facedots.evaluation.metrics import Doubles
from facedots.evaluation.protocol import Evaluation
from facedots.io.files import atomic_write
from facedots.schema import KeypointSchema

RESULT_FILE = "evaluation.npz"
_VERSION = 1
_ARRAYS = ("true", "predicted", "covariance", "confidence", "score", "squares")
_ATTRIBUTE = "attribute_"


@dataclass(frozen=True)
class EvalContext:
    """What was measured, on what, how: without it a score means nothing.

    Attributes:
        model: The name of the network or its file.
        weights_sha256: Of the weight file, in hexadecimal.
        data: The folder, or ``synthetic:N``.
        sources: The data sets in it that were used.
        split: As in ``"official"``.
        trained_split: The split whose training part the network has seen; ``""`` if unknown.
        boxes: Where the boxes came from: ``"truth"``, ``"none"`` for a network that sees the whole
            frame, or the detector's name.
        style: The data set whose way of labeling the network follows; ``""`` if it knows but one.
    """

    model: str
    weights_sha256: str
    data: str
    sources: tuple[str, ...]
    split: str
    trained_split: str
    boxes: str
    style: str = ""


def caveats(setting: EvalContext) -> list[str]:
    """What a reader of scores that were measured so must know not to be misled, a sentence each."""
    people = "youtube-faces" in setting.sources
    sentences = []
    if people and setting.trained_split not in ("", "synthetic", setting.split):
        sentences.append(
            f"The network was trained on split {setting.trained_split}: it has seen faces of this test set, and its scores "
            "flatter it."
        )
    if people and setting.split == "official":
        sentences.append(
            "The official split leaks: everyone in it is in the training set too. Read it beside a disjoint split."
        )
    others = [source for source in setting.sources if source != setting.style]
    if setting.style and others:
        sentences.append(
            f"The network labels as {setting.style} does, and {' and '.join(others)} in another style: part of the error is that "
            f"difference. `facedots export RUN --style {others[0]}` makes a run's network label as they do."
        )
    if setting.data.startswith("synthetic:"):
        sentences.append(
            "These are faces drawn by facedots; the scores say nothing about real ones."
        )
    return sentences


@dataclass(frozen=True)
class Result:
    """One network, measured.

    Attributes:
        name: How reports call it.
        evaluation: The faces, and what the network made of them.
        setting: What was measured, on what, how.
        floor: NME ``(N,)`` in percent of the same faces with the mean shape in the same places, or
            ``None``.
        history: The log of the training run, where it is known: column -> epoch -> value.
    """

    name: str
    evaluation: Evaluation
    setting: EvalContext
    floor: Doubles | None = None
    history: Mapping[str, Mapping[float, float]] | None = None


def write_result(path: str | Path, result: Result) -> None:
    """Write a result as NumPy's ``.npz``: about 2 MB for 770 faces, and no pickle in it.

    Raises:
        OutputError: The file cannot be written.
    """
    faces = result.evaluation
    about = {
        "version": _VERSION,
        "name": result.name,
        "setting": asdict(result.setting),
        "schema": json.loads(faces.schema.to_json()),
        "tail": faces.dof,
        "names": faces.names,
        "groups": faces.groups,
        "images": [str(image.absolute()) for image in faces.images],
        "skipped": faces.skipped,
        "history": {name: list(epochs.items()) for name, epochs in result.history.items()}
        if result.history
        else None,
    }
    arrays = {name: getattr(faces, name) for name in _ARRAYS}
    arrays |= {_ATTRIBUTE + name: values for name, values in faces.attributes.items()}
    if result.floor is not None:
        arrays["floor"] = result.floor
    data = io.BytesIO()
    np.savez_compressed(data, about=np.array(json.dumps(about)), **arrays)
    atomic_write(path, data.getvalue())


def read_result(path: str | Path) -> Result:
    """The result that :func:`write_result` wrote.

    Raises:
        DataError: The file is missing, damaged, or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return _parsed(file, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not what `facedots evaluate` writes: {error}") from error


def _parsed(file: "np.lib.npyio.NpzFile", path: str | Path) -> Result:
    about = json.loads(str(file["about"]))
    if about["version"] != _VERSION:
        raise DataError(
            f"{path}: written by another version of facedots; run `facedots evaluate` again"
        )
    faces = Evaluation(
        names=tuple(about["names"]),
        groups=tuple(about["groups"]),
        images=tuple(Path(image) for image in about["images"]),
        **{name: file[name] for name in _ARRAYS},
        attributes={
            name.removeprefix(_ATTRIBUTE): file[name]
            for name in file.files
            if name.startswith(_ATTRIBUTE)
        },
        skipped=tuple((name, reason) for name, reason in about["skipped"]),
        schema=KeypointSchema.from_json(json.dumps(about["schema"])),
        dof=about["tail"],
    )
    return Result(
        name=about["name"],
        evaluation=faces,
        setting=EvalContext(**{**about["setting"], "sources": tuple(about["setting"]["sources"])}),
        floor=file["floor"] if "floor" in file.files else None,
        history={name: dict(epochs) for name, epochs in about["history"].items()}
        if about["history"]
        else None,
    )


_LABELS_AGREE = 0.01  # pixels


def same_faces(first: Result, second: Result) -> bool:
    """Whether both were measured on the same faces in the same order, with the same labels."""
    one, other = first.evaluation, second.evaluation
    return one.names == other.names and bool(
        np.allclose(one.true, other.true, rtol=0, atol=_LABELS_AGREE, equal_nan=True)
    )


def incompatibilities(results: Sequence[Result]) -> list[str]:
    """Why the numbers of the results cannot be compared, a sentence each: other points, other
    faces, other labels.
    """
    first = results[0]
    sentences = []
    for other in results[1:]:
        one, two = first.evaluation, other.evaluation
        pair = f"{first.name} and {other.name}"
        if one.schema != two.schema:
            sentences.append(
                f"{pair} predict different points ({one.schema.name} and {two.schema.name})."
            )
        elif one.names != two.names:
            shared = len(set(one.names) & set(two.names))
            sentences.append(
                f"{pair} were measured on different faces: {_what(first)} with {len(one.names)} faces, against "
                f"{_what(other)} with {len(two.names)}; {shared} are in both."
            )
        elif not same_faces(first, other):
            sentences.append(f"{pair} were measured on the same faces, but with different labels.")
    return sentences


def comparison_warnings(results: Sequence[Result]) -> list[str]:
    """What differs between results that may be compared all the same, a sentence each."""
    sentences = []
    if len({result.setting.boxes for result in results}) > 1:
        boxes = "; ".join(
            f"{result.name}: {BOXES.get(result.setting.boxes, result.setting.boxes)}"
            for result in results
        )
        sentences.append(
            f"The boxes came from different places, which alone changes the error ({boxes})."
        )
    trained = {result.setting.trained_split for result in results}
    if len(trained) > 1:
        splits = "; ".join(
            f"{result.name}: {result.setting.trained_split or 'unknown'}" for result in results
        )
        sentences.append(
            f"The networks were trained on different splits, so not all have seen the same faces ({splits})."
        )
    seen: dict[str, str] = {}
    for result in results:
        settings = (result.setting.weights_sha256, result.setting.boxes)
        pair = seen.setdefault("/".join(settings), result.name)
        if pair != result.name:
            sentences.append(f"{pair} and {result.name} are the same weights.")
    return sentences


def with_own_names(results: Sequence[Result], origins: Sequence[str]) -> list[str]:
    """A name for each result: its own, and where two are called the same, the folder or file that
    it came from behind it.
    """
    names = [result.name for result in results]
    for told in (
        [Path(origin).name for origin in origins],
        origins,
        [f"{i + 1}" for i in range(len(names))],
    ):
        own = [
            f"{name} ({more})" if names.count(name) > 1 else name
            for name, more in zip(names, told, strict=True)
        ]
        if len(set(own)) == len(own):
            break
    return own


BOXES = {"truth": "the tight box of the true points", "none": "nowhere: it sees the whole image"}
"""What ``Setting.boxes`` means, in words; any other is the name of a detector."""


def _what(result: Result) -> str:
    return (
        f"{', '.join(result.setting.sources) or result.setting.data}, split {result.setting.split}"
    )
