"""A rigid model of a human head: where the 68 points of IBUG68 lie in space.

facedots' own. It was laid out by hand from rounded measures of adults, mirror symmetric, and then refined on 1,600 labelled
faces, half of 300-W and half of YouTube Faces, by structure from motion: poses and shape take turns until the shape, seen under
the poses, is nearest to all labels in least squares. A last step deepens it to an adult's relief. ``benchmarks/head_model.py``
holds the start, the method and its checks, and prints the numbers below. The refined shape misses the labels by 3.8 % of the eye
distance in the median, which is how much people and expressions differ from one rigid head.

Axes: x to the subject's left, y down, z away from the viewer; the origin lies between the outer eye corners, which are one apart
(about 90 mm on adults). A head in pose zero is held like the median of those faces: as people hold it before a camera. On that
head the chin lies 0.22 (20 mm) behind the top of the nose's bridge, so the face looks a little further down than where an
anatomist would call it upright, by some 7 degrees.
"""

import numpy as np

from facedots.geometry import Matrix
from facedots.schema import IBUG68


def _head_model() -> Matrix:
    right_half: dict[int, list[tuple[float, float, float]]] = {
        0: [(-0.818, 0.008, 0.502), (-0.803, 0.225, 0.474), (-0.770, 0.432, 0.451), (-0.731, 0.632, 0.430)],
        4: [(-0.662, 0.836, 0.369), (-0.545, 1.009, 0.270), (-0.405, 1.138, 0.125), (-0.231, 1.246, -0.014), (0, 1.295, -0.051)],
        17: [(-0.663, -0.162, 0.075), (-0.560, -0.235, -0.057), (-0.427, -0.256, -0.151), (-0.296, -0.240, -0.213)],
        21: [(-0.174, -0.201, -0.249)],
        27: [(0, 0.002, -0.269), (0, 0.144, -0.357), (0, 0.283, -0.455), (0, 0.411, -0.502)],
        31: [(-0.152, 0.497, -0.263), (-0.082, 0.519, -0.306), (0, 0.541, -0.326)],
        36: [(-0.5, 0, 0), (-0.415, -0.038, -0.073), (-0.311, -0.037, -0.082)],
        39: [(-0.219, 0.016, -0.066), (-0.312, 0.040, -0.076), (-0.418, 0.039, -0.054)],
        48: [(-0.305, 0.759, -0.052), (-0.197, 0.706, -0.201), (-0.074, 0.676, -0.284), (0, 0.693, -0.292)],
        57: [(0, 0.912, -0.224), (-0.094, 0.903, -0.209), (-0.197, 0.855, -0.150)],
        60: [(-0.270, 0.760, -0.063), (-0.085, 0.747, -0.240), (0, 0.750, -0.254)],
        66: [(0, 0.809, -0.225), (-0.085, 0.801, -0.215)],
    }
    model = np.zeros((IBUG68.count, 3))
    for first, places in right_half.items():
        for i, place in enumerate(places, first):
            model[IBUG68.flip[i]] = np.multiply(place, (-1, 1, 1))
            model[i] = place
    model.flags.writeable = False
    return model


HEAD_MODEL = _head_model()
"""The points ``float64 (68, 3)`` in the order of IBUG68, in outer-eye distances; read-only."""

POSE_POINTS = (*range(55), *range(60, 65))
"""The 60 points that decide a pose: all but the lower lip, which an open mouth would take for a nod.

The jaw stays, though its labels slide along the outline of a turned head: without it poses differ more from MediaPipe's.
"""
