"""Weight files, and those whose bytes a list beside them pins.

To add or replace one: ``cd FOLDER && sha256sum *.onnx > SHA256SUMS``.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from facedots.errors import WeightsError
from facedots.io.files import protect

MAX_BYTES = 256 * 10**6


@dataclass(frozen=True)
class WeightFile:
    """A network's ONNX file and the SHA-256 that its bytes must have, in hexadecimal.

    Example:
        >>> from facedots import WEIGHTS
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


def pinned_weights(folder: Path) -> Mapping[str, WeightFile]:
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


def read_weights_file(path: Path, pinned: Mapping[str, WeightFile], missing: str) -> bytes:
    """The bytes of an ONNX file. A pinned one, by whatever path or link, must have the pinned ones.

    Args:
        path: The file; nothing that facedots writes may replace it from now on.
        pinned: The files that come with facedots.
        missing: What to do where there is no such file.

    Raises:
        WeightsError: The file is missing, damaged, or larger than 256 MB.
    """
    protect([path])
    for own in pinned.values():
        both = path.exists() and own.path.exists()
        if path == own.path or (both and path.samefile(own.path)):
            return own.read()
    if not path.is_file():
        fault = "a folder" if path.is_dir() else "no such file"
        raise WeightsError(f"{path}: {fault}; {missing}")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise WeightsError(f"{path}: over {MAX_BYTES // 10**6} MB, too large for such a network")
    return data
