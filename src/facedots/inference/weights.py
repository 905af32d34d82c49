"""The weight files that come with facedots. Their license, training data and scores stand in the
files themselves.

The folder ``assets/weights`` holds ``<name>.onnx`` and ``SHA256SUMS``, which pins their bytes. To
add or replace a file: ``cd src/facedots/assets/weights && sha256sum *.onnx > SHA256SUMS``.
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
        path: Where the ONNX file lies.
        sha256: The pinned hash, in hexadecimal.
    """

    path: Path
    sha256: str

    @property
    def name(self) -> str:
        """What users call it, as in ``KeypointPredictor("small")``."""
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
                f"{self.path}: damaged: its bytes are not the ones that SHA256SUMS pins; install facedots again"
            )
        return data


def pinned_weights(folder: Path = FOLDER) -> Mapping[str, WeightFile]:
    """The files that ``SHA256SUMS`` in a folder pins, by name; none where there is no such list.

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


def open_weights(model: str | Path, threads: int = 1) -> Session:
    """A network by its name in :data:`WEIGHTS`, or from the path of an ONNX file.

    Raises:
        WeightsError: The name is unknown, or the file is missing, damaged, or not one of facedots'.
    """
    if isinstance(model, str) and model in WEIGHTS:
        return Session(WEIGHTS[model].read(), threads, source=WEIGHTS[model].path)
    if Path(model).suffix == ".onnx" or Path(model).is_file():
        return Session(model, threads)
    names = ", ".join(WEIGHTS) or "none"
    raise WeightsError(
        f"{model}: no such network; there are {names}, or give the path of an .onnx file"
    )


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


RUN_FILE = "model.onnx"
"""What `facedots train` leaves in the folder of a run: its best weights."""


def weights_file(weights: str) -> Path:
    """The ONNX file that a user means by a name that ``facedots models`` lists, by a path, or by
    the folder of a run.

    Raises:
        WeightsError: There is no such file.
    """
    if weights in WEIGHTS:
        return WEIGHTS[weights].path
    path = Path(weights)
    if path.is_dir():
        if (path / RUN_FILE).is_file():
            return path / RUN_FILE
        raise WeightsError(
            f"{path}: no {RUN_FILE} in this folder; `facedots export RUN --out RUN/{RUN_FILE}` writes a run's best"
        )
    if path.is_file():
        return path
    names = ", ".join(WEIGHTS) or "none yet"
    raise WeightsError(
        f"{weights}: neither a network that comes with facedots ({names}), nor an .onnx file, nor the folder of a run"
    )
