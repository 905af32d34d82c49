"""The solid shape behind a drawn face: a random person's 68 points in three dimensions, and a random pose of the head.

Laid out by hand; no statistical model of faces went in. Lengths are outer-eye distances; x points to the subject's left, y down,
z at the viewer, and the line through the outer eye corners is y = 0.
"""

import numpy as np

from facedots.geometry import Matrix
from facedots.schema import IBUG68


def rotation(generator: np.random.Generator) -> Matrix:
    """Rotation matrix (3, 3); x points right, y down, z at the viewer."""
    yaw, pitch, roll = np.deg2rad(generator.uniform((-32, -18, -30), (32, 18, 30)))
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(tilt @ nod @ turn)


def person(generator: np.random.Generator) -> Matrix:
    """The 68 points (68, 3) of a person with an expression, in outer-eye distances; the eyes' line is y = 0.

    The half on the subject's right (x < 0) is laid out, then mirrored by the schema's own order.
    """
    vary = generator.uniform
    opening = vary(0.02, 0.075) if generator.random() < 0.85 else vary(0.0, 0.012)
    gape = max(0.0, float(generator.normal(0.0, 0.16)))
    smile, raised = vary(-0.04, 0.07), vary(-0.05, 0.06)
    face_width, chin, nose_end, mouth_y = vary(0.74, 0.88), vary(1.22, 1.45), vary(0.52, 0.66), vary(0.84, 0.96)
    mouth_width, lips, inner_eye = vary(0.27, 0.4), vary(0.045, 0.1), vary(0.17, 0.22)

    half = np.zeros((IBUG68.count, 3))
    angle = np.linspace(np.pi / 2, 0, 9)
    half[0:9, 0] = -face_width * np.sin(angle) ** vary(0.75, 1.0)
    half[0:9, 1] = 0.02 + (chin + 0.6 * gape) * np.cos(angle) ** vary(0.75, 0.95)
    half[0:9, 2] = 0.08 - 0.5 * np.sin(angle) ** 2
    half[17:22] = [(-0.70, -0.17, -0.16), (-0.60, -0.27, -0.04), (-0.46, -0.31, 0.03), (-0.31, -0.29, 0.07), (-0.17, -0.25, 0.09)]
    half[17:22, 1] -= raised
    half[27:31] = [(0, nose_end * share, 0.08 + 0.38 * share) for share in (0.02, 0.3, 0.58, 0.87)]
    half[31:34, 0] = -vary(0.8, 1.2) * np.array([0.17, 0.09, 0])
    half[31:34, 1] = nose_end + np.array([0.02, 0.06, 0.075])
    half[31:34, 2] = [0.14, 0.21, 0.26]
    across = np.linspace(-0.5, -inner_eye, 4)
    half[36:40, 0], half[[41, 40], 0] = across, across[1:3]
    half[36:40, 1], half[[41, 40], 1] = (0, -opening, -opening, 0.015), (0.75 * opening, 0.8 * opening)
    half[36:42, 2] = [-0.12, 0.0, 0.03, 0.0, 0.03, 0.0]
    half[48:52, 0], half[58:60, 0] = mouth_width * np.array([-1, -0.62, -0.22, 0]), mouth_width * np.array([-0.25, -0.64])
    half[48:52, 1] = mouth_y + lips * np.array([0, -0.75, -1.05, -0.9])
    half[57:60, 1] = mouth_y + gape + lips * np.array([1.2, 1.15, 0.75])
    half[60:63, 0], half[66:68, 0] = mouth_width * np.array([-0.86, -0.3, 0]), mouth_width * np.array([0, -0.3])
    half[60:63, 1] = mouth_y + lips * np.array([0.02, -0.12, -0.06])
    half[66:68, 1] = mouth_y + gape + lips * np.array([0.1, 0.08])
    half[48:68, 1] -= smile * (np.abs(half[48:68, 0]) / mouth_width) ** 2
    half[48:68, 2] = 0.22 - 1.4 * half[48:68, 0] ** 2

    whole = half[list(IBUG68.flip)] * (-1, 1, 1)
    laid_out = [*range(9), *range(17, 22), *range(27, 34), *range(36, 42), *range(48, 52), *range(57, 63), 66, 67]
    whole[laid_out] = half[laid_out]
    return np.asarray(whole + generator.normal(0, 0.006, whole.shape))


def cranium(solid: Matrix) -> Matrix:
    """Eleven points (11, 3) of the arc over the forehead, from one end of the jaw's line to the other."""
    angle = np.linspace(0, np.pi, 13)[1:-1]
    right, left = solid[0], solid[16]
    arc = (right + left) / 2 + np.outer(np.cos(angle), (right - left) / 2)
    return np.asarray(arc + np.outer(np.sin(angle) ** 0.8, (0, -1.0, 0.35)))
