"""The networks of keypoints that come with facedots: ``<name>.onnx`` in ``assets/weights``."""

from pathlib import Path

from facedots.errors import RecipeError, WeightsError
from facedots.io.pinned import pinned_weights, read_weights_file
from facedots.io.yaml_files import read_yaml

FOLDER = Path(__file__).parents[1] / "assets" / "weights"
ONNX_FILE = "model.onnx"
"""The file of a run's best weights in its folder."""
RECIPE_FILE = "recipe.yaml"
"""What a run was made by, in its folder."""
FINDER = "finder"
"""The field ``model`` of a finder's recipe."""

WEIGHTS = pinned_weights(FOLDER)
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
    return read_weights_file(
        path, WEIGHTS, "`facedots models` lists the networks that come with facedots"
    )
