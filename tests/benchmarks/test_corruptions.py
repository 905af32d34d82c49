import numpy as np
import pytest
from corruptions import (
    CORRUPTIONS,
    COVERS,
    GRAY_LEVEL,
    Case,
    Corruption,
    blur,
    box_scale,
    box_shift,
    cut_out,
    gamma,
    gray,
    jpeg,
    motion,
    noise,
    resolution,
    roll,
)

from facedots.data.synthetic import draw_face
from facedots.geometry import tight_boxes

RNG = np.random.default_rng


def drawn() -> Case:
    image, points = draw_face(RNG(5))
    return Case(image, points, tight_boxes(points[None])[0])


def square_face(image: np.ndarray | None = None) -> Case:
    """Points at (30, 30) and (69, 69): a tight box of 39 px around (49.5, 49.5), a reference crop
    of 50.7 px.
    """
    points = np.array([[30, 30], [69, 69], [30, 69], [69, 30]], np.float32)
    blank = np.zeros((100, 100, 3), np.uint8) if image is None else image
    return Case(blank, points, tight_boxes(points[None])[0])


def dot(x: int, y: int) -> np.ndarray:
    image = np.zeros((100, 100, 3), np.uint8)
    image[y, x] = 255
    return image


@pytest.mark.parametrize(
    "corruption", [*CORRUPTIONS, *COVERS], ids=lambda corruption: corruption.name
)
def test_every_corruption_does_the_same_again_and_changes_something(corruption: Corruption) -> None:
    case = drawn()
    before = case.image.copy(), case.points.copy(), case.box.copy()
    first, again = corruption(case, "face"), corruption(drawn(), "face")
    for one, other in (
        (first.image, again.image),
        (first.points, again.points),
        (first.box, again.box),
    ):
        np.testing.assert_array_equal(one, other)
    assert not (np.array_equal(first.image, before[0]) and np.array_equal(first.box, before[2]))
    assert first.image.dtype == np.uint8
    assert first.image.shape == before[0].shape
    for now, then in zip((case.image, case.points, case.box), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize(
    "corruption", [*CORRUPTIONS, *COVERS], ids=lambda corruption: corruption.name
)
def test_only_roll_moves_the_points(corruption: Corruption) -> None:
    case = drawn()
    assert np.array_equal(corruption(case, "face").points, case.points) == (
        corruption.kind != "roll"
    )


def test_names_are_distinct_and_say_the_strength() -> None:
    names = [corruption.name for corruption in CORRUPTIONS]
    assert len(set(names)) == len(names) == 32
    assert {
        "blur 4 px",
        "roll ±90°",
        "box shift ±15%",
        "box scale ×0.8",
        "cut-out 40%",
        "gamma 0.4",
        "gray",
    } <= set(names)


def test_two_faces_meet_different_chance() -> None:
    case, grain = (
        drawn(),
        next(corruption for corruption in CORRUPTIONS if corruption.kind == "noise"),
    )
    assert not np.array_equal(grain(case, "one").image, grain(case, "other").image)


def test_the_reference_crop_is_the_default_crop_at_128_pixels() -> None:
    case = square_face()
    assert case.square == pytest.approx((49.5, 49.5, 1.3 * 39))
    assert case.unit == pytest.approx(1.3 * 39 / 128)


def test_a_large_face_is_blurred_more_than_a_small_one() -> None:
    # 2 px of a crop that is 50.7 px wide are 0.792 px of the image: a Gaussian's variance is the
    # spread of a single dot.
    seen = blur(square_face(dot(50, 50)), 2, RNG(0)).image[..., 0].astype(float)
    spread = (seen.sum(axis=0) * (np.arange(100) - 50) ** 2).sum() / seen.sum()
    assert np.sqrt(spread) == pytest.approx(2 * 1.3 * 39 / 128, rel=0.05)


def test_motion_blur_is_a_line_through_its_middle() -> None:
    seen = motion(square_face(dot(50, 50)), 15, RNG(0)).image[..., 0].astype(float)
    y, x = np.nonzero(seen)
    assert np.average(x, weights=seen[y, x]) == pytest.approx(50, abs=0.05)
    assert np.average(y, weights=seen[y, x]) == pytest.approx(50, abs=0.05)
    length = np.hypot(np.ptp(x), np.ptp(y))
    assert 15 * 1.3 * 39 / 128 - 1 <= length <= 15 * 1.3 * 39 / 128 + 3


def test_resolution_keeps_what_is_coarser_already_and_averages_the_rest() -> None:
    case = square_face(
        np.indices((100, 100)).sum(axis=0)[..., None].repeat(3, axis=2).astype(np.uint8) % 2 * 255
    )
    assert resolution(case, 64, RNG(0)) is case
    coarse = resolution(case, 1.3 * 39 / 2, RNG(0)).image
    assert set(np.unique(coarse)) <= {127, 128}  # each 2 x 2 block of a chessboard


def test_jpeg_of_lower_quality_is_farther_from_the_image() -> None:
    case = drawn()
    fine, coarse = (
        np.abs(jpeg(case, quality, RNG(0)).image.astype(int) - case.image).mean()
        for quality in (90, 7)
    )
    assert 0 < fine < coarse < 30


def test_noise_has_the_deviation_it_is_told() -> None:
    case = square_face(np.full((100, 100, 3), 128, np.uint8))
    change = noise(case, 16, RNG(0)).image.astype(float) - 128
    assert change.std() == pytest.approx(16, rel=0.03)
    assert abs(change.mean()) < 0.5


def test_gamma_by_hand() -> None:
    case = square_face(np.full((100, 100, 3), 64, np.uint8))
    assert gamma(case, 2, RNG(0)).image[0, 0, 0] == 16  # 255 * (64 / 255) ** 2 = 16.06
    assert gamma(case, 0.5, RNG(0)).image[0, 0, 0] == 128  # 255 * (64 / 255) ** 0.5 = 127.7


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_out_covers_its_share_around_a_place_in_the_face(seed: int) -> None:
    covered = cut_out(square_face(), 0.3, RNG(seed)).image[..., 0]
    y, x = np.nonzero(covered == GRAY_LEVEL)
    assert np.ptp(x) + 1 == pytest.approx(0.3 * 1.3 * 39, abs=1)
    assert np.ptp(y) + 1 == pytest.approx(0.3 * 1.3 * 39, abs=1)
    assert 29.5 <= (x.min() + x.max()) / 2 <= 69.5
    assert 29.5 <= (y.min() + y.max()) / 2 <= 69.5


def test_a_cut_out_at_the_border_stays_in_the_image() -> None:
    points = np.array([[-40, -40], [5, 5]], np.float32)
    case = Case(np.zeros((50, 50, 3), np.uint8), points, tight_boxes(points[None])[0])
    for seed in range(20):
        covered = cut_out(case, 0.4, RNG(seed)).image
        assert not covered[40:].any()
        assert not covered[:, 40:].any()


@pytest.mark.parametrize("degrees", [15, 30, 45, 90])
def test_roll_turns_image_points_and_box_together(degrees: float) -> None:
    image = dot(60, 40)
    image[39:42, 59:62] = 255
    case = square_face(image)
    marked = Case(image, np.concatenate([case.points, [[60, 40]]]).astype(np.float32), case.box)
    signs = set()
    for seed in range(6):
        turned = roll(marked, degrees, RNG(seed))
        y, x = np.nonzero(turned.image[..., 0] > 127)
        assert (x.mean(), y.mean()) == pytest.approx(turned.points[-1], abs=0.3)
        np.testing.assert_array_equal(turned.box, tight_boxes(turned.points[None])[0])
        arm, before = turned.points[-1] - 49.5, np.array([60, 40]) - 49.5
        angle = np.rad2deg(np.arctan2(arm[1], arm[0]) - np.arctan2(before[1], before[0]))
        angle = (angle + 180) % 360 - 180
        assert abs(angle) == pytest.approx(degrees, abs=1e-3)
        signs.add(np.sign(angle))
    assert signs == {-1, 1}


def test_a_quarter_turn_by_hand() -> None:
    case = square_face()
    place = roll(case, 90, RNG(0)).points[
        0
    ]  # (30, 30) is the upper left corner: it goes to the upper right or the lower left
    assert place.tolist() in ([69, 30], [30, 69])


def test_a_shifted_box_goes_one_of_four_ways() -> None:
    case = square_face()
    shifts = {
        tuple((10 * (box_shift(case, 0.1, RNG(seed)).box - case.box)).round().tolist())
        for seed in range(40)
    }
    assert shifts == {(dx, dy, dx, dy) for dx in (-39, 39) for dy in (-39, 39)}  # tenths of a pixel


def test_a_scaled_box_keeps_its_center() -> None:
    assert box_scale(square_face(), 0.5, RNG(0)).box.tolist() == [39.75, 39.75, 59.25, 59.25]


def test_gray_has_no_color_and_the_same_luminance() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[..., 1] = 100
    assert np.unique(gray(square_face(image), 0, RNG(0)).image).tolist() == [59]  # 0.587 * 100


def test_covers_hide_what_they_are_named_for() -> None:
    """Points in the middle of eyes and mouth, in the image before and after."""
    case = drawn()
    hidden = {"sunglasses": (True, False), "mask": (False, True)}
    for cover in COVERS:
        if cover.kind not in hidden:
            continue
        image = cover(case, "face").image
        places = case.points[36:42].mean(axis=0), case.points[[62, 66]].mean(axis=0)
        changed = [
            bool((image[round(y), round(x)] != case.image[round(y), round(x)]).any())
            for x, y in map(np.ndarray.tolist, places)
        ]
        assert tuple(changed) == hidden[cover.kind], cover.kind
