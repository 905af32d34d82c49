import json
import sys
from pathlib import Path

import numpy as np
import peer_runs
import pytest
from common import Faces
from peer_runs import Answer, Contestant, PeerError, milliseconds, points_of, run, store, tune
from peer_worker import cut, read_faces, square

from facedots.data.synthetic import draw_face
from facedots.geometry import tight_boxes
from facedots.inference.predictor import KeypointPredictor

WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from peer_worker import serve

def prepare(model):
    if model == "broken":
        raise RuntimeError("no such model")
    if model == "mute":
        return lambda image, box, crop: (None, float("nan")), "1.0", [__file__]
    def corners(image, box, crop):
        left, top, _, _ = box
        return [(left * crop[0], top * crop[0])] * 68, 0.5
    return corners, "1.0", [__file__]

serve(prepare)
"""


def drawn(count: int) -> Faces:
    pairs = [draw_face(np.random.default_rng(seed)) for seed in range(count)]
    points = np.stack([points for _, points in pairs])
    return Faces(
        [str(i) for i in range(count)], [image for image, _ in pairs], points, tight_boxes(points)
    )


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A peer of two lines in the place of dlib."""
    script = tmp_path / "peer_fake.py"
    script.write_text(WORKER.format(folder=str(Path(peer_runs.__file__).parent)))
    monkeypatch.setattr(
        peer_runs, "_command", lambda _worker: ([sys.executable, str(script)], tmp_path)
    )
    return script


def test_workers_read_what_was_stored(tmp_path: Path) -> None:
    faces = drawn(3)
    for (image, box), kept, given in zip(
        read_faces(store(faces, tmp_path)), faces.images, faces.boxes, strict=True
    ):
        np.testing.assert_array_equal(image, kept)
        assert box == given.tolist()


def test_an_answer_comes_back_in_order(tmp_path: Path, worker: Path) -> None:
    faces = drawn(2)
    answer = run(
        Contestant("fake", "fake", "corners"),
        store(faces, tmp_path / "faces"),
        [(1.0, 0.0), (2.0, 0.0)],
        rounds=3,
    )
    assert answer.points.shape == (2, 2, 68, 2)
    for f, factor in enumerate((1, 2)):
        for i in range(2):
            np.testing.assert_allclose(
                answer.points[f, i, 0], factor * faces.boxes[i, :2], rtol=1e-6
            )
    assert answer.milliseconds.shape == (2, 3, 2, 2)
    assert (answer.milliseconds[..., 1] == 0.5).all()
    assert (answer.version, answer.weights) == ("1.0", worker.stat().st_size)
    assert answer.peak_mb > 5


def test_the_crop_with_the_smallest_error_is_chosen(tmp_path: Path, worker: Path) -> None:
    faces = drawn(2)
    true = np.repeat(1.2 * faces.boxes[:, None, :2], 68, axis=1).astype(np.float32)
    true[:, 45] += 40  # the eye distance that errors are told in
    choice = ((1.0, 0.0), (1.2, 0.0), (1.4, 0.0))
    assert tune(
        Contestant("fake", "fake", "corners", choice=choice), store(faces, tmp_path / "faces"), true
    ) == (1.2, 0.0)


def test_a_missed_face_is_nan(worker: Path) -> None:
    assert np.isnan(points_of(Contestant("fake", "fake", "mute"), drawn(1))).all()


def test_a_peer_that_fails_says_why(tmp_path: Path, worker: Path) -> None:
    with pytest.raises(PeerError, match=r"fake: ended with 1: .*no such model"):
        run(Contestant("fake", "fake", "broken"), store(drawn(1), tmp_path / "faces"), [(1.0, 0.0)])


def test_a_missing_program_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_runs, "_command", lambda _worker: (["no-such-program"], tmp_path))
    with pytest.raises(PeerError, match="no-such-program"):
        run(Contestant("fake", "fake", ""), store(drawn(1), tmp_path / "faces"), [(1.0, 0.0)])


def test_without_npm_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_runs, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PeerError, match="apt-get install nodejs npm"):
        run(peer_runs.PEERS["face-api"], store(drawn(1), tmp_path / "faces"), [(1.0, 0.0)])
    assert not (tmp_path / "cache" / "face_api" / ".installed").exists()


def test_our_networks_answer_as_in_use() -> None:
    faces = drawn(2)
    points = points_of(peer_runs.OURS["small"], faces)
    predictor = KeypointPredictor("small", refine=0)
    for image, box, found in zip(faces.images, faces.boxes, points, strict=True):
        np.testing.assert_allclose(found, predictor.predict(image, box[None]).points[0], atol=1e-4)


def test_milliseconds_are_medians_without_the_first_round() -> None:
    times = np.zeros((1, 4, 3, 2), np.float32)
    times[0, :, :, 0] = [[90, 90, 90], [1, 2, 9], [3, 4, 5], [5, 6, 7]]
    assert milliseconds(Answer(np.zeros((1, 3, 68, 2), np.float32), times, "", 0, 0)).tolist() == [
        4,
        0,
    ]


def test_a_crop_by_hand() -> None:
    # The box is 20 wide and 40 high around (20, 30): the mean side is 30; 0.1 heights up is 4 px.
    assert square([10, 10, 30, 50], (2.0, 0.1)) == pytest.approx((-10, -4, 60))


def test_a_cut_is_black_beyond_the_border() -> None:
    image = np.full((40, 40, 3), 200, np.uint8)
    crop, x, y = cut(image, [10, 10, 30, 30], (3.0, 0.0))
    assert (x, y, crop.shape) == (-10, -10, (60, 60, 3))
    assert crop.any(axis=2).sum() == 40 * 40
    assert crop[10:50, 10:50].min() == 200


def test_a_crop_of_scale_zero_is_the_whole_image() -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    crop, x, y = cut(image, [1, 1, 2, 2], (0, 0))
    assert crop is image
    assert (x, y) == (0, 0)


def test_jobs_are_plain_json(tmp_path: Path) -> None:
    listed = json.loads((store(drawn(1), tmp_path) / "faces.json").read_text())
    assert set(listed[0]) == {"start", "height", "width", "box"}
