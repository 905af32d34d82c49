"""Draw cats: one head per image, with nine exact keypoints. OpenCV and NumPy only."""

import cv2
import numpy as np
from numpy.typing import NDArray

POINTS = (
    "right_ear",
    "left_ear",
    "right_eye",
    "left_eye",
    "nose",
    "right_mouth",
    "left_mouth",
    "chin",
    "crown",
)
FURS = (
    (222, 150, 74),
    (120, 116, 118),
    (58, 52, 50),
    (236, 224, 204),
    (168, 122, 84),
    (196, 176, 150),
)
IRISES = ((150, 190, 70), (226, 186, 60), (96, 170, 196), (180, 120, 40))

Array = NDArray[np.float64]
SHIFT = 4  # OpenCV's drawing takes fixed-point numbers: 1/16 px


def draw_cat(generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A cat's head somewhere in an image; roll up to 35 degrees, yaw up to 30, pitch up to 15.

    Returns:
        The image ``uint8 (H, W, 3)`` RGB, 160-320 px a side, and the points ``float32 (9, 2)`` in
        the order of :data:`POINTS`.
    """
    vary = generator.uniform
    width, height = (int(side) for side in generator.integers(160, 321, 2))
    radius = min(width, height) * vary(0.17, 0.33)
    middle = np.array([width * vary(0.38, 0.62), height * vary(0.42, 0.62)])
    pose = rotation(*np.deg2rad(vary((-30, -15, -35), (30, 15, 35))))
    image = background(generator, height, width)

    def project(points: object) -> Array:
        """Pixels (n, 2) of points (n, 3) of the 3D head of half width 1; z points at the viewer."""
        return np.asarray(
            np.atleast_2d(np.asarray(points, np.float64)) @ pose[:2].T * radius + middle
        )

    eye_x, eye_y, tall = vary(0.36, 0.5), vary(-0.2, -0.02), vary(0.76, 0.92)
    ear = np.array([vary(-0.95, -0.65), -tall - vary(0.35, 0.65), -0.1])
    nose, mouth = (
        np.array([0, vary(0.18, 0.3), 0.7]),
        np.array([-vary(0.22, 0.36), vary(0.44, 0.54), 0.5]),
    )
    chin, crown = np.array([0.0, tall, 0.25]), np.array([0.0, -tall, 0.05])
    eye = np.array([-eye_x, eye_y, 0.5])
    other = np.array([-1, 1, 1])  # the subject's left is the right half: x > 0
    fur, iris = (tinted(colors, generator) for colors in (FURS, IRISES))
    dark, pale = shade(fur, 0.55), shade(fur, 0.5, towards=250)

    for side in (1, other):
        base = np.array([[-0.93, -0.42 * tall, 0], [-0.3, -0.97 * tall, 0]])
        triangle = np.stack([base[0], ear, base[1]])
        inner = triangle.mean(axis=0) + 0.58 * (triangle - triangle.mean(axis=0))
        fill(image, project(triangle * side), fur, dark)
        fill(image, project(inner * side), (226, 160, 158))
    fill(image, project(ellipse((0, 0, 0), 1.0, tall)), fur, dark)
    if generator.random() < 0.5:
        fill(
            image,
            project(ellipse(eye * generator.choice([-1, 1], 1) * (1, 1, 0.9), 0.34, 0.36)),
            shade(fur, vary(0.6, 1.25)),
        )
    for stripe in np.linspace(-0.22, 0.22, generator.choice([0, 3, 5])):
        line(
            image,
            project([(stripe, -0.92 * tall, 0.2), (stripe * 0.8, -0.55 * tall, 0.4)]),
            dark,
            0.07 * radius,
        )
    opened = vary(0.45, 1.0)
    slit = vary(0.2, 0.75)
    for side in (1, other):
        fill(image, project(ellipse(eye * side, 0.2, 0.18 * opened)), iris, (30, 26, 24))
        fill(image, project(ellipse(eye * side, 0.18 * slit * 0.6, 0.16 * opened)), (14, 12, 12))
        fill(image, project(ellipse(eye * side + (0.05, -0.05, 0), 0.035, 0.035)), (250, 250, 250))
    for side in (1, other):
        fill(
            image,
            project(ellipse(np.array([-0.17, mouth[1] - 0.06, 0.55]) * side, 0.21, 0.17)),
            pale,
        )
    bottom = np.add(nose, (0, 0.1, 0))
    fill(
        image,
        project([np.add(nose, (-0.1, -0.05, 0)), np.add(nose, (0.1, -0.05, 0)), bottom]),
        (214, 120, 124),
        dark,
    )
    lip = np.array([0, mouth[1] + 0.02, 0.6])
    line(
        image,
        project(
            [
                mouth * other,
                mouth * other * (0.6, 1.12, 1.1),
                lip,
                bottom,
                lip,
                mouth * (0.6, 1.12, 1.1),
                mouth,
            ]
        ),
        dark,
    )
    for side in (1, other):
        for lift in (-0.12, 0.0, 0.12):
            start = np.array([-0.34, mouth[1] - 0.1 + lift / 2, 0.5]) * side
            line(
                image,
                project([start, start + np.array([-0.75, lift * 1.6 - 0.05, -0.2]) * side]),
                (240, 240, 236),
            )

    points = project([ear, ear * other, eye, eye * other, nose, mouth, mouth * other, chin, crown])
    return photograph(image, generator), np.asarray(points, np.float32)


def rotation(yaw: float, pitch: float, roll: float) -> Array:
    """The matrix (3, 3) that turns a head; radians."""
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    )
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(tilt @ nod @ turn)


def ellipse(center: object, across: float, down: float) -> Array:
    """An outline (40, 3) that faces the viewer where the head does."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return np.asarray(center) + np.stack(
        [across * np.cos(angle), down * np.sin(angle), np.zeros(40)], axis=1
    )


def fill(image: NDArray[np.uint8], outline: Array, color: object, rim: object = None) -> None:
    """An area, with a thin line around it where a rim is given."""
    fixed = [np.round(outline * 2**SHIFT).astype(np.int32)]
    cv2.fillPoly(image, fixed, color, cv2.LINE_AA, SHIFT)
    if rim is not None:
        cv2.polylines(image, fixed, True, rim, 1, cv2.LINE_AA, SHIFT)


def line(image: NDArray[np.uint8], points: Array, color: object, thickness: float = 1.0) -> None:
    """A line through points, at least one pixel thick."""
    fixed = [np.round(points * 2**SHIFT).astype(np.int32)]
    cv2.polylines(image, fixed, False, color, max(1, round(thickness)), cv2.LINE_AA, SHIFT)


def tinted(
    colors: tuple[tuple[int, int, int], ...], generator: np.random.Generator
) -> tuple[float, ...]:
    """One of the colors, varied a little."""
    chosen = np.asarray(colors[int(generator.integers(len(colors)))]) + generator.normal(0, 12, 3)
    return tuple(chosen.clip(0, 255).tolist())


def shade(color: tuple[float, ...], share: float, towards: float = 0) -> tuple[float, ...]:
    """A color mixed with black, or with another gray; above 1 it becomes lighter."""
    return tuple(
        float(np.clip(share * channel + (1 - share) * towards, 0, 255)) for channel in color
    )


def background(generator: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A color gradient with blurred blobs and triangles before it: some look a little like ears."""
    corners = generator.uniform(60, 225, (2, 2, 1)) + generator.uniform(-45, 45, (2, 2, 3))
    image = np.asarray(
        cv2.resize(corners.clip(0, 255).astype(np.float32), (width, height)), np.uint8
    )
    for _ in range(int(generator.integers(3, 12))):
        center, spread = (
            generator.uniform(0, (width, height)),
            generator.uniform(0.05, 0.3) * min(width, height),
        )
        outline = center + generator.normal(0, spread, (int(generator.integers(3, 7)), 2))
        fill(image, outline, tinted(FURS + IRISES, generator))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), generator.uniform(0.5, 3)), np.uint8)


def photograph(image: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Light, a lens's blur and a sensor's noise."""
    lit = image * generator.uniform(0.7, 1.15)
    lit += generator.normal(0, generator.uniform(0, 7), (*image.shape[:2], 1))
    return np.asarray(
        cv2.GaussianBlur(lit.clip(0, 255), (0, 0), generator.uniform(0.4, 1.1)), np.uint8
    )
