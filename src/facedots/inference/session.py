"""An ONNX file of facedots, opened: spec, card, and the call from crops to points.

The file maps ``crops`` ``uint8 (N, S, S, C)`` to the fields of :class:`SessionOutput`. Its metadata
hold the :class:`~facedots.spec.ModelSpec` under ``facedots.spec`` and the
:class:`~facedots.spec.ModelCard` under ``facedots.card``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facedots.errors import WeightsError
from facedots.geometry import Floats, check_shape
from facedots.io.guard import protect
from facedots.io.names import is_utf8
from facedots.spec import ModelCard, ModelSpec

SPEC_KEY, CARD_KEY = "facedots.spec", "facedots.card"
_INPUTS, _OUTPUTS = ["crops"], ["points", "covariance", "score"]


@dataclass(frozen=True)
class SessionOutput:
    """A network's predictions on N crops.

    Attributes:
        points: ``float32 (N, K, 2)``, in pixels of the crop.
        covariance: ``float32 (N, K, 2, 2)`` of the points' errors, in square pixels of the crop;
            NaN where the network predicts none.
        score: ``float32 (N,)`` in [0, 1], the confidence that a crop shows a face, well placed; NaN
            where the network predicts none.

    Example:
        >>> output = Session("small.onnx").run(crops)  # doctest: +SKIP
        >>> output.points.shape  # doctest: +SKIP
        (2, 68, 2)
    """

    points: Floats
    covariance: Floats
    score: Floats


class Session:
    """An open network.

    Args:
        weights: The path of an ONNX file, or its bytes.
        threads: Threads per call. One is the most efficient where several processes share a
            machine, and repeats to the last bit.
        source: The file's name in error messages; by default its path.

    Attributes:
        spec: How to feed the network and read its output.
        card: What it is and may be used for.

    Raises:
        WeightsError: The file is missing, damaged, or not one that ``facedots export`` wrote.

    Example:
        >>> session = Session("model.onnx")  # doctest: +SKIP
        >>> session.spec.input_size, session.card.license  # doctest: +SKIP
    """

    def __init__(
        self, weights: str | Path | bytes, threads: int = 1, source: object = None
    ) -> None:
        name = source or ("the weights" if isinstance(weights, bytes) else weights)
        if not isinstance(weights, bytes) and not Path(weights).is_file():
            raise WeightsError(
                f"{name}: no such file; "
                "`facedots models` lists the networks that come with facedots"
            )
        if not isinstance(weights, bytes):
            protect([weights])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            is_path = not isinstance(weights, bytes) and is_utf8(weights)
            model = str(weights) if is_path else _bytes(weights)
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors have no narrower common base
            raise WeightsError(f"{name}: ONNX Runtime cannot open it: {error}") from error
        self.spec, self.card = self._metadata(name)
        inputs = [port.name for port in self._session.get_inputs()]
        outputs = [port.name for port in self._session.get_outputs()]
        if inputs != _INPUTS or outputs != _OUTPUTS:
            raise WeightsError(
                f"{name}: maps {inputs} to {outputs}, not {_INPUTS} to {_OUTPUTS}; {_FIX}"
            )

    def run(self, crops: NDArray[np.uint8]) -> SessionOutput:
        """The predictions on crops ``uint8 (N, S, S, C)``.

        Raises:
            ShapeError: The crops do not have the shape of the spec.
        """
        size, count = self.spec.input_size, self.spec.schema.count
        check_shape(crops, f"N {size} {size} {self.spec.channels}", "crops")
        points, covariance, score = self._session.run(_OUTPUTS, {"crops": crops})
        check_shape(points, f"{len(crops)} {count} 2", "the network's points")
        check_shape(covariance, f"{len(crops)} {count} 2 2", "the network's covariance")
        check_shape(score, f"{len(crops)}", "the network's score")
        return SessionOutput(points, covariance, score)

    def _metadata(self, name: object) -> tuple[ModelSpec, ModelCard]:
        """The spec and the card in the file's metadata."""
        stored = self._session.get_modelmeta().custom_metadata_map
        if SPEC_KEY not in stored:
            raise WeightsError(
                f"{name}: an ONNX file, but not one of facedots': "
                f"it has no metadata '{SPEC_KEY}'; {_FIX}"
            )
        try:
            spec = ModelSpec.from_json(stored[SPEC_KEY])
            card = ModelCard.from_json(stored.get(CARD_KEY, "{}"))
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{name}: its metadata cannot be read ({error!r}); {_FIX}"
            ) from error
        return spec, card


def _bytes(weights: str | Path | bytes) -> bytes:
    return weights if isinstance(weights, bytes) else Path(weights).read_bytes()


_FIX = "write the file with `facedots export RUN --out model.onnx`"
