"""A network's ONNX file, opened: what it is, how to feed it, and the call from crops to points.

The file takes ``crops`` ``uint8 (N, S, S, C)``. It gives :class:`Answer`'s fields, in pixels of the
crop. Its metadata hold the
:class:`~facedots.spec.ModelSpec` under ``facedots.spec`` and the card of the model under
    ``facedots.card``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facedots.errors import WeightsError
from facedots.geometry import Floats, check_shape
from facedots.spec import ModelSpec

SPEC_KEY, CARD_KEY = "facedots.spec", "facedots.card"
_INPUTS, _OUTPUTS = ["crops"], ["points", "covariance", "score"]


@dataclass(frozen=True)
class ModelCard:
    """What a weight file is, was trained on, scores, and may be used for.

    Attributes:
        title: One line that says what it is.
        license: Under which terms it may be used.
        trained_on: The data it has seen.
        split: The split whose training part that was, as in ``"official"``; another split's test
            part would flatter it.
        note: What else a user must know.
        style: The data set whose way of labeling it follows, where it was trained on several; else
            ``""``.
        scores: Measured scores by name, as in ``{"youtube-faces official nme": 4.0}``.
    """

    title: str = ""
    license: str = ""
    trained_on: str = ""
    split: str = ""
    note: str = ""
    style: str = ""
    scores: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """The card in a JSON object; what a later version may have added is left out."""
        stored = dict(json.loads(text))
        if "licence" in stored:  # as the weight files of 2026 spell it
            stored["license"] = stored.pop("licence")
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})


@dataclass(frozen=True)
class Answer:
    """What a network says of N crops.

    Attributes:
        points: ``float32 (N, K, 2)``, in pixels of the crop.
        covariance: ``float32 (N, K, 2, 2)``, of the errors of the points, in square pixels of the
            crop; NaN if it knows none.
        score: ``float32 (N,)`` in [0, 1], its belief that a crop shows a face, well placed; NaN if
            it knows none.
    """

    points: Floats
    covariance: Floats
    score: Floats


class Session:
    """An open network.

    Args:
        weights: The path of an ONNX file, or its bytes.
        threads: Threads that one call may use. One is the fastest way to share a machine, and
            repeats to the last bit.
        source: How error messages call the file; by default its path.

    Attributes:
        spec: How to feed the network and read its answer.
        card: What it is and may be used for.

    Raises:
        WeightsError: The file is missing, damaged, or not one that ``facedots export`` wrote.
    """

    def __init__(
        self, weights: str | Path | bytes, threads: int = 1, source: object = None
    ) -> None:
        name = source or ("the weights" if isinstance(weights, bytes) else weights)
        if not isinstance(weights, bytes) and not Path(weights).is_file():
            raise WeightsError(
                f"{name}: no such file; `facedots models` lists the networks that come with facedots"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        given = weights if isinstance(weights, bytes) else str(weights)
        try:
            self._session = onnxruntime.InferenceSession(
                given, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors have no narrower common base
            raise WeightsError(f"{name}: ONNX Runtime cannot open it: {error}") from error
        self.spec, self.card = self._metadata(name)
        inputs, outputs = (
            [port.name for port in ports]
            for ports in (self._session.get_inputs(), self._session.get_outputs())
        )
        if inputs != _INPUTS or outputs != _OUTPUTS:
            raise WeightsError(
                f"{name}: maps {inputs} to {outputs}, not {_INPUTS} to {_OUTPUTS}; {_FIX}"
            )

    def run(self, crops: NDArray[np.uint8]) -> Answer:
        """What the network makes of crops ``uint8 (N, S, S, C)``.

        Raises:
            ShapeError: The crops are not what the spec says.
        """
        size, count = self.spec.input_size, self.spec.schema.count
        check_shape(crops, f"N {size} {size} {self.spec.channels}", "crops")
        points, covariance, score = self._session.run(_OUTPUTS, {"crops": crops})
        check_shape(points, f"{len(crops)} {count} 2", "the network's points")
        check_shape(covariance, f"{len(crops)} {count} 2 2", "the network's covariance")
        check_shape(score, f"{len(crops)}", "the network's score")
        return Answer(points, covariance, score)

    def _metadata(self, name: object) -> tuple[ModelSpec, ModelCard]:
        """The spec and the card in the file."""
        stored = self._session.get_modelmeta().custom_metadata_map
        if SPEC_KEY not in stored:
            raise WeightsError(
                f"{name}: an ONNX file, but not one of facedots': it has no metadata '{SPEC_KEY}'; {_FIX}"
            )
        try:
            spec = ModelSpec.from_json(stored[SPEC_KEY])
            card = ModelCard.from_json(stored.get(CARD_KEY, "{}"))
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{name}: its metadata cannot be read ({error!r}); {_FIX}"
            ) from error
        return spec, card


_FIX = "write the file with `facedots export RUN --out model.onnx`"
