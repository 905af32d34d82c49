"""The weight files that come with facedots: ``<name>.onnx`` in ``assets/weights``.

``SHA256SUMS`` in that folder pins their bytes. To add or replace a file:
``cd src/facedots/assets/weights && sha256sum *.onnx > SHA256SUMS``.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from facedots.errors import WeightsError
from facedots.inference.session import Session

FOLDER = Path(__file__).parents[1] / "assets" / "weights"


@dataclass(frozen=True)
class WeightFile:
    """A network's file and the hash that its bytes must have.

    Attributes:
        path: Path of the ONNX file.
        sha256: The pinned hash, in hexadecimal.

    Example:
        >>> WEIGHTS["tiny"].name
        'tiny'
    """

    path: Path
    sha256: str

    @property
    def name(self) -> str:
        """Its name, as in ``KeypointPredictor("small")``."""
        return self.path.stem

    def read(self) -> bytes:
        """The bytes of the file.

        Raises:
            WeightsError: The file is missing, or its bytes are not the pinned ones.
        """
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise WeightsError(
                f"{self.path}: cannot be read: {error.strerror}; install facedots again"
            ) from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise WeightsError(
                f"{self.path}: damaged: its bytes are not the ones that SHA256SUMS pins; "
                "install facedots again"
            )
        return data


def pinned_weights(folder: Path = FOLDER) -> Mapping[str, WeightFile]:
    """The files that ``SHA256SUMS`` in a folder pins, by name; none without that list.

    Raises:
        WeightsError: A line is not ``<sha256>  <name>.onnx``.
    """
    sums = folder / "SHA256SUMS"
    pinned = {}
    for number, line in enumerate(sums.read_text().splitlines() if sums.is_file() else [], start=1):
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)\.onnx", line)
        if match is None:
            raise WeightsError(
                f"{sums}: line {number}: not a line as `sha256sum *.onnx` writes them"
            )
        pinned[match[2]] = WeightFile(folder / f"{match[2]}.onnx", match[1])
    return MappingProxyType(pinned)


WEIGHTS = pinned_weights()
"""The networks that come with facedots, by name."""


ONNX_FILE = "model.onnx"
"""The file of a run's best weights in its folder."""


def weights_file(model: str | Path) -> Path:
    """The ONNX file of a name in :data:`WEIGHTS`, a path, or the folder of a run.

    Raises:
        WeightsError: There is no such file, or it comes with facedots and its bytes are not the
            pinned ones.
    """
    if pinned := _pinned(model):
        pinned.read()
        return pinned.path
    path = Path(model)
    if path.is_dir():
        if (path / ONNX_FILE).is_file():
            return path / ONNX_FILE
        raise WeightsError(
            f"{path}: no {ONNX_FILE} in this folder; "
            f"`facedots export RUN --out RUN/{ONNX_FILE}` writes a run's best"
        )
    if path.suffix == ".onnx" or path.is_file():
        return path
    names = ", ".join(WEIGHTS) or "none"
    raise WeightsError(
        f"{model}: no such network; there are {names}, "
        "or give the path of an .onnx file or the folder of a run"
    )


def _pinned(model: str | Path) -> WeightFile | None:
    """The file of :data:`WEIGHTS` that a name, a path or a link leads to."""
    if str(model) in WEIGHTS:
        return WEIGHTS[str(model)]
    path = Path(model)
    if path.suffix == ".onnx" and path.is_file():
        return next((file for file in WEIGHTS.values() if _same(path, file.path)), None)
    return None


def _same(path: Path, other: Path) -> bool:
    return other.is_file() and path.samefile(other)


def open_weights(model: str | Path, threads: int = 1) -> Session:
    """Open the network of a name, path or folder, as :func:`weights_file` finds it.

    Raises:
        WeightsError: There is no such network, or its file is missing, damaged, or not one of
            facedots'.

    Example:
        >>> open_weights("tiny").spec.input_size
        112
    """
    if pinned := _pinned(model):
        return Session(pinned.read(), threads, source=pinned.path)
    return Session(weights_file(model), threads)


CODE_LICENSE = "Apache-2.0"
TERMS = f"Code: {CODE_LICENSE}. Weights: for research only, terms above (LICENSE-WEIGHTS.md)."


def describe_model(name: str) -> dict[str, Any]:
    """Describe a network of :data:`WEIGHTS` in plain values, ready for JSON.

    Example:
        >>> model = describe_model("tiny")
        >>> model["input_size"], model["points"], model["code_license"]
        (112, 68, 'Apache-2.0')

    Raises:
        WeightsError: The file is missing or damaged.
    """
    session, weights = open_weights(name), WEIGHTS[name]
    spec, card = session.spec, session.card
    return {
        "name": name,
        "title": card.title,
        "file": str(weights.path),
        "bytes": weights.path.stat().st_size,
        "sha256": weights.sha256,
        "input_size": spec.input_size,
        "channels": spec.channels,
        "crop": spec.crop.mode,
        "crop_scale": spec.crop.scale,
        "points": spec.schema.count,
        "schema": spec.schema.name,
        "code_license": CODE_LICENSE,
        "weights_license": card.license,
        "trained_on": card.trained_on,
        "note": card.note,
        "scores": dict(card.scores),
    }
