"""An ONNX file of facedots, opened: spec, card, and the call from crops to points.

The file maps ``crops`` ``uint8 (N, S, S, C)`` to the fields of :class:`SessionOutput`, to the last
three only where the network was trained for them. Its metadata hold the
:class:`~facedots.spec.ModelSpec` under ``facedots.spec``, the :class:`~facedots.spec.ModelCard`
under ``facedots.card`` and, in newer files, where the network comes from under
``facedots.provenance``.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facedots.errors import WeightsError
from facedots.geometry import Floats, check_shape
from facedots.inference.weights import finder_use, read_weights, weights_file
from facedots.runtime import Providers, open_session, run_session
from facedots.schema import PUPILS
from facedots.spec import ModelCard, ModelSpec

SPEC_KEY, CARD_KEY, PROVENANCE_KEY = "facedots.spec", "facedots.card", "facedots.provenance"
CODE_LICENSE = "Apache-2.0"
TERMS = f"Code: {CODE_LICENSE}. Weights: for research only, terms above (LICENSE-WEIGHTS.md)."
MAX_INPUT = 4096  # pixels
INPUTS, OUTPUTS = ["crops"], ["points", "covariance", "score"]
PUPIL_OUTPUTS, VISIBILITY_OUTPUT = ["pupils", "pupils_covariance"], "visibility"
"""Of files whose networks were trained for them, in this order after the others."""
_FIX = "write the file with `facedots export RUN --out model.onnx`"


class SessionOutput(NamedTuple):
    """A network's predictions on N crops.

    Attributes:
        points: ``float32 (N, K, 2)``, in pixels of the crop.
        covariance: ``float32 (N, K, 2, 2)`` of the points' errors, in square pixels of the crop;
            NaN where the network predicts none.
        score: ``float32 (N,)`` in [0, 1], the confidence that a crop shows a face, well placed; NaN
            where the network predicts none.
        pupils: ``float32 (N, 2, 2)``, in pixels of the crop, the subject's right one first; as the
            next ones, NaN where the network predicts none.
        pupils_covariance: ``float32 (N, 2, 2, 2)``, as ``covariance``.
        visibility: ``float32 (N, K)`` in [0, 1], the probability that a point is not hidden.

    Example:
        >>> output = Session("small").run(np.zeros((2, 128, 128, 3), np.uint8))
        >>> output.points.shape
        (2, 68, 2)
    """

    points: Floats
    covariance: Floats
    score: Floats
    pupils: Floats
    pupils_covariance: Floats
    visibility: Floats


class Session:
    """An open network.

    Args:
        weights: A name that ``facedots models`` lists, the path of an ONNX file, the folder of a
            run, or the bytes of an ONNX file.
        threads: Threads per call. One is the most efficient where several processes share a
            machine, and repeats to the last bit.
        providers: The hardware: ``"cpu"``, ``"cuda"``, ``"openvino"``, ``"coreml"``,
            ``"directml"``, or ONNX Runtime's own list of execution providers.

    Attributes:
        spec: How to feed the network and read its output.
        card: What it is and may be used for.
        provenance: What it was made from; empty in older files.
        outputs: The fields of its output that it predicts.

    Raises:
        WeightsError: The file is missing, damaged, not one that ``facedots export`` wrote, or comes
            with facedots and its bytes are not the pinned ones.

    Example:
        >>> Session("tiny").spec.input_size
        112
    """

    def __init__(
        self, weights: str | Path | bytes, threads: int = 1, *, providers: Providers = "cpu"
    ) -> None:
        if isinstance(weights, bytes):
            name, data = "the weights", weights
        else:
            path = weights_file(weights)
            name, data = str(path), read_weights(path)
        self._name = name
        self._session = open_session(data, name, providers, threads)
        try:
            stored = self._session.get_modelmeta().custom_metadata_map
        except ValueError as error:
            raise WeightsError(f"{name}: its metadata are not UTF-8; {_FIX}") from error
        if SPEC_KEY not in stored:
            if CARD_KEY in stored:
                raise WeightsError(f"{name}: {finder_use(name)}")
            raise WeightsError(
                f"{name}: an ONNX file, but not one of facedots' keypoint networks: it has no "
                f"metadata '{SPEC_KEY}'; {_FIX}"
            )
        try:
            self.spec = ModelSpec.from_json(stored[SPEC_KEY])
            self.card = ModelCard.from_json(stored.get(CARD_KEY, "{}"))
            self.provenance: dict[str, Any] = dict(json.loads(stored.get(PROVENANCE_KEY, "{}")))
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise WeightsError(
                f"{name}: its metadata cannot be read ({error!r}); {_FIX}"
            ) from error
        if type(self.spec.input_size) is not int or not 1 <= self.spec.input_size <= MAX_INPUT:
            fault = f"takes crops of {self.spec.input_size!r} pixels, not 1 to {MAX_INPUT}"
            raise WeightsError(f"{name}: {fault}; {_FIX}")
        inputs = [port.name for port in self._session.get_inputs()]
        self.outputs = [port.name for port in self._session.get_outputs()]
        further = [*PUPIL_OUTPUTS, VISIBILITY_OUTPUT]
        if inputs != INPUTS or self.outputs[:3] != OUTPUTS or {*self.outputs[3:]} - {*further}:
            raise WeightsError(
                f"{name}: maps {inputs} to {self.outputs}, not {INPUTS} to {OUTPUTS} and perhaps "
                f"{further}; {_FIX}"
            )

    def run(self, crops: NDArray[np.uint8]) -> SessionOutput:
        """The predictions on crops ``uint8 (N, S, S, C)``.

        Raises:
            ShapeError: The crops do not have the shape of the spec.
            WeightsError: The network fails, as for want of memory.
        """
        size = self.spec.input_size
        check_shape(crops, f"N {size} {size} {self.spec.channels}", "crops")
        results = run_session(self._session, self._name, {"crops": crops})
        output = self.no_output(len(crops))._asdict()
        for name, values in zip(self.outputs, results, strict=True):
            shape = " ".join(map(str, output[name].shape))
            output[name] = check_shape(values, shape, f"the network's {name}")
        return SessionOutput(**output)

    def no_output(self, count: int) -> SessionOutput:
        """The arrays for so many crops, all NaN."""
        points, pupils = self.spec.schema.count, PUPILS.count
        shapes = ((points, 2), (points, 2, 2), (), (pupils, 2), (pupils, 2, 2), (points,))
        return SessionOutput(*(np.full((count, *shape), np.nan, np.float32) for shape in shapes))


def describe_model(model: str | Path) -> dict[str, Any]:
    """Describe a network in plain values, ready for JSON.

    Args:
        model: As for :class:`Session`.

    Raises:
        WeightsError: The file is missing or damaged.

    Example:
        >>> facts = describe_model("tiny")
        >>> facts["input_size"], facts["points"], facts["code_license"]
        (112, 68, 'Apache-2.0')
    """
    path = weights_file(model)
    session, data = Session(path), read_weights(path)
    spec, card = session.spec, session.card
    return {
        "name": path.stem,
        "title": card.title,
        "file": str(path),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "input_size": spec.input_size,
        "channels": spec.channels,
        "crop": spec.crop.mode,
        "crop_scale": spec.crop.scale,
        "points": spec.schema.count,
        "schema": spec.schema.name,
        "visibility": VISIBILITY_OUTPUT in session.outputs,
        "pupils": {*PUPIL_OUTPUTS} <= {*session.outputs},
        "code_license": CODE_LICENSE,
        "weights_license": card.license,
        "trained_on": card.trained_on,
        "note": card.note,
        "scores": dict(card.scores),
        "provenance": session.provenance,
    }
