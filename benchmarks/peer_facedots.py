"""One of our networks, measured like the peers, on the tight box; see ``peer_worker.py``."""

import time
from typing import Any

import cv2
import numpy as np
from peer_worker import Box, PeerCrop, Predict, serve

import facedots
from facedots import WEIGHTS, KeypointPredictor
from facedots.inference import Session


class Stopwatch:
    """Stands before :meth:`Session.run` and adds up the processor time of its calls."""

    def __init__(self) -> None:
        self.milliseconds = 0.0
        self._run = Session.run
        stopwatch = self

        def timed(session: Any, crops: Any) -> Any:
            start = time.process_time()
            answer = stopwatch._run(session, crops)
            stopwatch.milliseconds += (time.process_time() - start) * 1000
            return answer

        Session.run = timed  # type: ignore[method-assign, assignment]


def prepare(model: str) -> tuple[Predict, str, list[str]]:
    """A network by its name or the path of its file; ``name x2`` runs two passes."""
    cv2.setNumThreads(1)
    twice = model.endswith(" x2")
    model = model.removesuffix(" x2")
    stopwatch, predictor = Stopwatch(), KeypointPredictor(model, refine=int(twice))

    def predict(image: Any, box: Box, _crop: PeerCrop) -> tuple[Any, float]:
        stopwatch.milliseconds = 0.0
        points = predictor.predict(image, np.array([box])).points[0]
        return points, stopwatch.milliseconds

    weights = WEIGHTS[model].path if model in WEIGHTS else model
    return predict, f"facedots {facedots.__version__}", [str(weights)]


if __name__ == "__main__":
    serve(prepare)
