"""From boxes to keypoints: all faces of an image in one batch."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.errors import WeightsError
from facedots.geometry import (
    Floats,
    Image,
    Matrix,
    apply_affine,
    check_boxes,
    compose,
    crop_matrix,
    invert,
    similarity,
    tight_boxes,
    warp_image,
)
from facedots.inference.session import Answer, ModelCard
from facedots.inference.weights import open_weights
from facedots.spec import ModelSpec
from facedots.types import Keypoints, check_image
from facedots.uncertainty import confidence, map_covariance

_BATCH = 64


class KeypointPredictor:
    """Finds the keypoints of faces whose boxes are known.

    Args:
        model: A name that ``facedots models`` lists, or the path of an ONNX file that ``facedots
            export`` wrote.
        threads: Threads of the network; with one, results repeat to the last bit.
        refine: Refinement passes; 2 re-crops upright around the first prediction (2x slower),
            which makes up for tilted heads and loose boxes.

    Raises:
        WeightsError: The name is unknown, or the file is missing, damaged, or not one of facedots',
            or ``refine`` is above 1 for a network that sees the whole image anyway.
        ValueError: ``refine`` is below 1.
    """

    def __init__(self, model: str | Path = "small", threads: int = 1, refine: int = 1) -> None:
        self._session = open_weights(model, threads)
        if refine < 1:
            raise ValueError(f"refine={refine}: at least 1 pass is needed")
        if refine > 1 and self.spec.crop.mode == "frame":
            raise WeightsError(
                f"{model}: this network sees the whole image, which cannot be re-cropped; use refine=1"
            )
        self._refine = refine

    @property
    def spec(self) -> ModelSpec:
        """How the network is fed: schema, framing, input size."""
        return self._session.spec

    @property
    def card(self) -> ModelCard:
        """What the network is, was trained on, scores, and may be used for."""
        return self._session.card

    def predict(self, image: Image, boxes: ArrayLike) -> Keypoints:
        """The keypoints of N faces in one image.

        Args:
            image: RGB, ``uint8 (H, W, 3)``.
            boxes: Tight boxes around where the keypoints are expected (N, 4), ``x0 y0 x1 y1`` in
                pixels, any two opposite corners. A network with the framing ``"frame"`` looks at
                the whole image once for each of them.

        Raises:
            ShapeError: The image or the boxes have another shape.
            ValueError: A box is not finite or has no area.
        """
        check_image(image)
        squares = self.spec.crop.crop_squares(check_boxes(boxes), (image.shape[0], image.shape[1]))
        maps = [crop_matrix(square, self.spec.input_size) for square in squares]
        said = self._read(image, maps)
        for _ in range(self._refine - 1):
            said = self._read(image, [self._upright(face, image) for face in said.points])
        sure = confidence(said.points, said.covariance, self.spec.schema, self.spec.dof)
        return Keypoints(said.points, said.covariance, sure, said.score, self.spec.schema)

    def _upright(self, face: Floats, image: Image) -> Matrix:
        """From the image to the crop that shows a face, whose points are known, upright and in the
        middle.

        A schema that does not say what is right and left leaves the roll.
        """
        pair = self.spec.schema.right_to_left
        across = face[pair[1]] - face[pair[0]] if pair else np.array([1.0, 0.0])
        turn = similarity(
            -np.degrees(np.arctan2(across[1], across[0])), 1.0, (0.0, 0.0), tuple(face.mean(axis=0))
        )
        box = tight_boxes(apply_affine(turn, face)[None])
        x, y, side = self.spec.crop.crop_squares(box, (image.shape[0], image.shape[1]))[0]
        return compose(crop_matrix((x, y, max(side, 1.0)), self.spec.input_size), turn)

    def _read(self, image: Image, maps: list[Matrix]) -> Answer:
        """What the network says of the crops that affine maps (from the image to a crop) cut out,
        in pixels of the image.
        """
        count = self.spec.schema.count
        none = Answer(
            np.zeros((0, count, 2), np.float32),
            np.zeros((0, count, 2, 2), np.float32),
            np.zeros(0, np.float32),
        )
        parts = [
            none,
            *(
                self._batch(image, maps[start : start + _BATCH])
                for start in range(0, len(maps), _BATCH)
            ),
        ]
        return Answer(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("points", "covariance", "score")
            )
        )

    def _batch(self, image: Image, maps: list[Matrix]) -> Answer:
        """The same of at most ``_BATCH`` crops and at least one."""
        said = self._session.run(self.crops(image, maps))
        back = [invert(matrix) for matrix in maps]
        points = [
            apply_affine(matrix, face) for matrix, face in zip(back, said.points, strict=True)
        ]
        covariance = [
            map_covariance(matrix, face) for matrix, face in zip(back, said.covariance, strict=True)
        ]
        return Answer(np.stack(points), np.stack(covariance), said.score)

    def crops(self, image: Image, maps: list[Matrix]) -> NDArray[np.uint8]:
        """What the network sees: ``uint8 (N, S, S, C)``, one crop for each affine map from the
        image to a crop.
        """
        size = (self.spec.input_size, self.spec.input_size)
        if self.spec.channels == 1:
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        return np.stack(
            [warp_image(image, matrix, size).reshape(*size, self.spec.channels) for matrix in maps]
        )
