"""Which file a WEIGHTS argument means."""

from pathlib import Path

from facedots.errors import WeightsError

RUN_FILE = "model.onnx"
"""What `facedots train` leaves in the folder of a run: its best weights."""


def weights_file(weights: str) -> Path:
    """The ONNX file that a user means by a name that ``facedots models`` lists, by a path, or by the folder of a run.

    Raises:
        WeightsError: There is no such file.
    """
    from facedots.weights import WEIGHTS

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
