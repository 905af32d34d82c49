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

from facedots.errors import RecipeError, WeightsError
from facedots.io.files import protect
from facedots.io.yaml_files import read_yaml

FOLDER = Path(__file__).parents[1] / "assets" / "weights"
MAX_BYTES = 256 * 10**6
ONNX_FILE = "model.onnx"
"""The file of a run's best weights in its folder."""
RECIPE_FILE = "recipe.yaml"
"""What a run was made by, in its folder."""
FINDER = "finder"
"""The field ``model`` of a finder's recipe."""


@dataclass(frozen=True)
class WeightFile:
    """A network's ONNX file and the SHA-256 that its bytes must have, in hexadecimal.

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


def is_finder(recipe: str | Path) -> bool:
    """Whether a recipe file, or the recipe in the folder of a run, is a finder's."""
    path = Path(recipe) / RECIPE_FILE if Path(recipe).is_dir() else Path(recipe)
    fields = read_yaml(path, RecipeError) if path.is_file() else None
    return isinstance(fields, dict) and fields.get("model") == FINDER


def finder_use(file: str | Path) -> str:
    """What to say of a finder that is given as a network of keypoints."""
    return f"a finder finds faces, not keypoints; use --detector finder --detector-file {file}"


def weights_file(model: str | Path) -> Path:
    """The ONNX file of a name in :data:`WEIGHTS`, a path, or the folder of a run.

    Raises:
        WeightsError: There is no such file.
        RecipeError: A run without it has a recipe that cannot be read.
    """
    if str(model) in WEIGHTS:
        return WEIGHTS[str(model)].path
    path = Path(model)
    if path.is_dir():
        if (path / ONNX_FILE).is_file():
            return path / ONNX_FILE
        finder = f"; {finder_use(path / ONNX_FILE)}" if is_finder(path) else ""
        raise WeightsError(
            f"{path}: no {ONNX_FILE} in this folder; "
            f"`facedots export RUN --out RUN/{ONNX_FILE}` writes a run's best{finder}"
        )
    if path.suffix == ".onnx" or path.is_file():
        return path
    names = ", ".join(WEIGHTS) or "none"
    raise WeightsError(
        f"{model}: no such network; there are {names}, "
        "or give the path of an .onnx file or the folder of a run"
    )


def read_weights(path: Path) -> bytes:
    """The bytes of an ONNX file. One that comes with facedots, by whatever path or link, must have
    the pinned ones.

    Raises:
        WeightsError: The file is missing, damaged, or larger than 256 MB.
    """
    protect([path])
    for pinned in WEIGHTS.values():
        both = path.exists() and pinned.path.exists()
        if path == pinned.path or (both and path.samefile(pinned.path)):
            return pinned.read()
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such file; `facedots models` lists the networks that come with facedots"
        )
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise WeightsError(f"{path}: over {MAX_BYTES // 10**6} MB, too large for such a network")
    return data
