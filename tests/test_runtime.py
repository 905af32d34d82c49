"""Devices and ONNX Runtime's execution providers: names, the fallback to the CPU, its message."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from facedots import runtime
from facedots.detection.retinaface import RetinaFace
from facedots.errors import WeightsError
from facedots.geometry import Image
from facedots.inference.predictor import KeypointPredictor
from facedots.inference.session import Session
from facedots.models.registry import build_model
from facedots.runtime import CPU, PROVIDERS, open_session, resolve_providers
from facedots.training.export import export_onnx

OPENVINO = PROVIDERS["openvino"]


@pytest.fixture(autouse=True)
def forget_warnings() -> None:
    runtime._warn_once.cache_clear()


def test_a_device_becomes_providers_with_the_cpu_last() -> None:
    assert resolve_providers("cpu") == [CPU]
    assert resolve_providers("directml") == ["DmlExecutionProvider", CPU]
    assert resolve_providers("openvino", 3) == [(OPENVINO, {"num_of_threads": "3"}), CPU]
    assert resolve_providers([CPU, "CoreMLExecutionProvider"]) == [CPU, "CoreMLExecutionProvider"]
    with pytest.raises(
        ValueError, match=r"'tpu': cpu, cuda, openvino, coreml, directml, or a list"
    ):
        resolve_providers("tpu")


@pytest.mark.parametrize("threads", [0, -1])
def test_a_network_needs_a_thread(tiny_model: Path, threads: int) -> None:
    words = f"threads={threads}: 1 or more are needed"
    with pytest.raises(ValueError, match=words):
        KeypointPredictor(tiny_model, threads)
    with pytest.raises(ValueError, match=words):
        RetinaFace(threads=threads)


def test_what_is_not_installed_is_said_once_with_the_fix(
    tiny_model: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    crops = np.zeros((2, 8, 8, 3), np.uint8)
    expected = Session(tiny_model).run(crops)
    with caplog.at_level(logging.WARNING, "facedots"):
        answer = Session(tiny_model, providers="cuda").run(crops)
        RetinaFace(providers="cuda")
    np.testing.assert_array_equal(answer.points, expected.points)
    assert caplog.messages == [
        "CUDAExecutionProvider is not there (this ONNX Runtime has CPUExecutionProvider), so the "
        "CPU is used; pip uninstall -y onnxruntime; pip install onnxruntime-gpu"
    ]


def test_what_fails_to_open_the_network_gives_way_to_the_cpu(
    tiny_model: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = onnxruntime.InferenceSession

    def without_gpu(data: bytes, options: Any, providers: list[Any], **settings: Any) -> Any:
        if providers != [CPU]:
            raise RuntimeError("CUDA failure 100:\n no device")
        return create(data, options, providers=providers, **settings)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDERS["cuda"], CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", without_gpu)
    session = open_session(tiny_model.read_bytes(), "tiny", "cuda")
    assert session.get_providers() == [CPU]
    failure = "CUDA failure 100: no device"
    assert caplog.messages == [
        f"CUDAExecutionProvider cannot run tiny, so the CPU is used: {failure}"
    ]
    with pytest.raises(WeightsError, match="broken: ONNX Runtime cannot open it"):
        open_session(b"no network", "broken", "cuda")


def test_a_provider_that_does_not_start_is_said(
    tiny_model: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDERS["cuda"], CPU])
    monkeypatch.setattr(  # as ONNX Runtime does where CUDA's libraries are missing
        onnxruntime,
        "InferenceSession",
        lambda data, options, providers, **_: create(data, options, providers=[CPU]),
    )
    open_session(tiny_model.read_bytes(), "tiny", "cuda")
    assert [text.partition(",")[0] for text in caplog.messages] == [
        "CUDAExecutionProvider does not start"
    ]


@pytest.mark.skipif(
    OPENVINO not in onnxruntime.get_available_providers(), reason="onnxruntime-openvino is missing"
)
def test_openvino_agrees_with_the_cpu(
    tmp_path: Path, hopper: Image, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    export_onnx(build_model("tiny"), tmp_path / "tiny.onnx", {})
    caplog.clear()
    faces = [
        KeypointPredictor(tmp_path / "tiny.onnx", refine=0, providers=device).predict(
            hopper, RetinaFace(providers=device)(hopper).boxes
        )
        for device in ("cpu", "openvino")
    ]
    assert not caplog.messages
    assert len(faces[0]) == 1
    np.testing.assert_allclose(faces[0].points, faces[1].points, atol=1e-2)
    np.testing.assert_allclose(faces[0].covariance, faces[1].covariance, rtol=1e-2, atol=1e-2)
