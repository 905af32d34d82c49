"""`facedots doctor`: what it reports, and that what is broken comes with its fix and status 1."""

import importlib.metadata
import json
import sys
from pathlib import Path

import onnxruntime
import pytest
from typer.testing import CliRunner, Result

from facedots import runtime
from facedots.cli import doctor
from facedots.cli.main import app
from facedots.inference import weights
from facedots.io.pinned import WeightFile
from facedots.runtime import CPU, PROVIDERS


def run(*options: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *options])


def findings(result: Result) -> dict[str, dict[str, str]]:
    report = json.loads(result.stdout)
    assert report["ok"] == (result.exit_code == 0)
    return {finding["name"]: finding for finding in report["findings"]}


def test_a_sound_installation_is_well() -> None:
    result = run()
    assert result.exit_code == 0, result.stdout
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "OpenCV" in lines["threads"]
    assert CPU in lines["providers"]
    assert "cpu: 1 face, " in lines["portrait"]
    assert "tiny" in lines["weights"]
    assert lines["all"] == "all is well"
    assert lines.keys() >= {"python", "facedots", "torch", "numpy", "opencv", "cpu", "[train]"}


def test_json_has_the_same_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (doctor.installation, doctor.onnxruntime))
    report = findings(run("--json"))
    assert report["onnxruntime"]["text"].startswith(onnxruntime.__version__)
    assert report["telemetry"] == {"name": "telemetry", "text": "off", "fix": ""}
    assert next(iter(report)) == "python"


def test_a_damaged_network_a_missing_library_and_lost_data_are_broken(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "WEIGHTS", {"tiny": WeightFile(tiny_model, "0" * 64)})
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setenv("FACEDOTS_DATA", str(tmp_path / "none"))
    checks = (doctor.opencv, doctor.data, doctor.weights)
    monkeypatch.setattr(doctor, "CHECKS", checks)
    result = run("--json")
    report = findings(result)
    assert result.exit_code == 1
    assert "pip install 'opencv-python>=4.14,<5'" in report["opencv"]["fix"]
    assert "install facedots again" in report["weights"]["fix"]
    assert f"facedots data download {tmp_path / 'none'}" in report["data"]["fix"]
    assert run().stdout.splitlines()[-1] == "3 broken"


def test_two_packages_in_one_place_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name in {"onnxruntime", "onnxruntime-gpu", "opencv-python", "opencv-python-headless"}:
            return "1.2.3"
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "CHECKS", (doctor.opencv, doctor.onnxruntime))
    report = findings(run("--json"))
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in report["onnxruntime"]["fix"]
    assert "opencv-python==1.2.3 and opencv-python-headless==1.2.3" in report["opencv"]["text"]
    assert "pip uninstall -y opencv-python" in report["opencv"]["fix"]


def test_a_device_that_does_not_run_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its provider is there, as onnxruntime-gpu's is without a GPU, but no network opens."""
    create = onnxruntime.InferenceSession

    def without_gpu(*args: object, providers: list[str], **settings: object) -> object:
        if providers != [CPU]:
            raise RuntimeError("no CUDA-capable device")
        return create(*args, providers=providers, **settings)

    runtime._warn_once.cache_clear()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDERS["cuda"], CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", without_gpu)
    monkeypatch.setattr(doctor, "CHECKS", (doctor.portrait,))
    result = run()
    assert result.exit_code == 1
    assert "cuda: 1 face" in result.stdout
    assert "points within 0.000 px of the CPU's" in result.stdout
    assert "cannot run RetinaFace, so the CPU is used: no CUDA-capable device" in result.stdout
