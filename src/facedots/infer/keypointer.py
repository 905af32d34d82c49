"""From boxes to keypoints: all faces of a picture in one batch."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.geometry import Matrix, apply_affine, check_boxes, crop_matrix, invert
from facedots.infer.session import Answer, ModelCard
from facedots.spec import ModelSpec
from facedots.types import Keypoints, check_image
from facedots.uncertainty import confidence, map_covariance
from facedots.warp import Image, warp_image
from facedots.weights import open_weights

_BATCH = 64


class Keypointer:
    """Finds the keypoints of faces whose boxes are known.

    Args:
        model: A name that ``facedots models`` lists, or the path of an ONNX file that ``facedots export`` wrote.
        threads: Threads of the network; with one, results repeat to the last bit.

    Raises:
        WeightsError: The name is unknown, or the file is missing, damaged, or not one of facedots'.
    """

    def __init__(self, model: str | Path = "small", threads: int = 1) -> None:
        self._session = open_weights(model, threads)

    @property
    def spec(self) -> ModelSpec:
        """How the network is fed: schema, framing, input size."""
        return self._session.spec

    @property
    def card(self) -> ModelCard:
        """What the network is, was trained on, scores, and may be used for."""
        return self._session.card

    def predict(self, image: Image, boxes: ArrayLike) -> Keypoints:
        """The keypoints of N faces in one picture.

        Args:
            image: RGB, ``uint8 (H, W, 3)``.
            boxes: Tight boxes around where the keypoints are expected (N, 4), ``x0 y0 x1 y1`` in pixels, any two opposite
                corners. A network with the framing ``"frame"`` looks at the whole picture once for each of them.

        Raises:
            ShapeError: The picture or the boxes have another shape.
            ValueError: A box is not finite or has no area.
        """
        check_image(image)
        squares = self.spec.framing.squares(check_boxes(boxes), (image.shape[0], image.shape[1]))
        maps = [crop_matrix(square, self.spec.input_size) for square in squares]
        parts = [self._batch(image, maps[start : start + _BATCH]) for start in range(0, len(maps), _BATCH)]
        schema = self.spec.schema
        points = np.concatenate([np.zeros((0, schema.count, 2), np.float32), *(part.points for part in parts)])
        covariance = np.concatenate([np.zeros((0, schema.count, 2, 2), np.float32), *(part.covariance for part in parts)])
        score = np.concatenate([np.zeros(0, np.float32), *(part.score for part in parts)])
        sure = confidence(points, covariance, schema, self.spec.tail)
        return Keypoints(points, covariance, sure, score, schema)

    def _batch(self, image: Image, maps: list[Matrix]) -> Answer:
        """What the network says of the crops that affine maps (from the picture to a crop) cut out, in pixels of the picture."""
        said = self._session.run(self.crops(image, maps))
        back = [invert(matrix) for matrix in maps]
        points = [apply_affine(matrix, face) for matrix, face in zip(back, said.points, strict=True)]
        covariance = [map_covariance(matrix, face) for matrix, face in zip(back, said.covariance, strict=True)]
        return Answer(np.stack(points), np.stack(covariance), said.score)

    def crops(self, image: Image, maps: list[Matrix]) -> NDArray[np.uint8]:
        """What the network sees: ``uint8 (N, S, S, C)``, one crop for each affine map from the picture to a crop."""
        size = (self.spec.input_size, self.spec.input_size)
        if self.spec.channels == 1:
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        return np.stack([warp_image(image, matrix, size).reshape(*size, self.spec.channels) for matrix in maps])
