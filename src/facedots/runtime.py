"""ONNX Runtime: no usage reports, the hardware that a network runs on, and opening one."""

import functools
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from facedots.errors import WeightsError

if TYPE_CHECKING:
    import onnxruntime

Device = Literal["cpu", "cuda", "openvino", "coreml", "directml"]
Provider = str | tuple[str, Mapping[str, Any]]
"""An execution provider by ONNX Runtime's name, or with its options."""
Providers = Device | Sequence[Provider]

CPU = "CPUExecutionProvider"
PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "cpu": CPU,
        "cuda": "CUDAExecutionProvider",
        "openvino": "OpenVINOExecutionProvider",
        "coreml": "CoreMLExecutionProvider",
        "directml": "DmlExecutionProvider",
    }
)
"""A device's execution provider."""

_INSTEAD = "pip uninstall -y onnxruntime; pip install "
_SOURCES = {
    "CUDAExecutionProvider": f"{_INSTEAD}onnxruntime-gpu",
    "OpenVINOExecutionProvider": f"{_INSTEAD}onnxruntime-openvino",
    "CoreMLExecutionProvider": "it is in onnxruntime for macOS alone",
    "DmlExecutionProvider": f"{_INSTEAD}onnxruntime-directml, on Windows",
}
_MAX_REASON = 300

_LOOP = b'"\x04Loop'
"""A node's ``op_type`` as ONNX files have it; such a node may never end."""


TELEMETRY_VARIABLE = "ORT_DISABLE_TELEMETRY"
_LEAVE_ON = frozenset({"0", "false", "no", "off"})


def telemetry_wanted() -> bool:
    """Whether the environment asks to leave ONNX Runtime's usage reports on."""
    return os.environ.get(TELEMETRY_VARIABLE, "").strip().lower() in _LEAVE_ON


def disable_telemetry() -> None:
    """Switch the usage reports off in this process and in those that it starts.

    From 1.29 on, importing ONNX Runtime writes a device id below the home's cache and sends events
    to Microsoft. To be called before it is imported; where it is loaded already, nothing more is
    sent. ``ORT_DISABLE_TELEMETRY=0`` in the environment leaves the reports on.
    """
    if telemetry_wanted():
        return
    os.environ[TELEMETRY_VARIABLE] = "1"
    disable = getattr(sys.modules.get("onnxruntime"), "disable_telemetry_events", None)
    if disable is not None:
        disable()


def resolve_providers(providers: Providers, threads: int = 1) -> list[Provider]:
    """ONNX Runtime's list of execution providers for a device; the CPU is always its last.

    Args:
        providers: A device of :data:`PROVIDERS`, or ONNX Runtime's own list.
        threads: For a provider that does not heed those of the session.

    Raises:
        ValueError: There is no such device.

    >>> resolve_providers("cuda")
    ['CUDAExecutionProvider', 'CPUExecutionProvider']
    >>> resolve_providers([("CUDAExecutionProvider", {"device_id": 1})])
    [('CUDAExecutionProvider', {'device_id': 1}), 'CPUExecutionProvider']
    """
    if not isinstance(providers, str):
        wanted = list(providers)
    elif providers == "openvino":
        wanted = [(PROVIDERS["openvino"], {"num_of_threads": str(threads)})]
    elif providers in PROVIDERS:
        wanted = [PROVIDERS[providers]]
    else:
        known = ", ".join(PROVIDERS)
        raise ValueError(f"providers={providers!r}: {known}, or a list of ONNX Runtime's names")
    return wanted if CPU in map(_name, wanted) else [*wanted, CPU]


def open_session(
    data: bytes, name: str, providers: Providers = "cpu", threads: int = 1
) -> "onnxruntime.InferenceSession":
    """Open an ONNX file. What the wanted providers cannot run, the CPU runs, which is logged.

    Args:
        data: The bytes of the file.
        name: Of the network, for messages.
        providers: As for :func:`resolve_providers`.
        threads: Threads per call.

    Raises:
        ValueError: There is no such device, or ``threads`` is below 1.
        WeightsError: The CPU cannot run it either, or it may never end.
    """
    import onnxruntime

    if threads < 1:
        raise ValueError(f"threads={threads}: 1 or more are needed")
    if _LOOP in data:
        raise WeightsError(f"{name}: has an operator Loop, which may never end")
    wanted, available = resolve_providers(providers, threads), onnxruntime.get_available_providers()
    usable = [provider for provider in wanted if _name(provider) in available]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what it reports as an error is raised, too
    for missing in wanted:
        if missing not in usable:
            fix = _SOURCES.get(_name(missing), "see onnxruntime.ai/docs/execution-providers")
            has = f"this ONNX Runtime has {', '.join(available)}"
            _warn_once(f"{_name(missing)} is not there ({has}), so the CPU is used; {fix}")
    try:
        session = onnxruntime.InferenceSession(data, options, providers=usable, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors have no narrower common base
        reason = " ".join(str(error).split())[:_MAX_REASON]
        if usable == [CPU]:
            raise WeightsError(f"{name}: ONNX Runtime cannot open it: {reason}") from error
        session = open_session(data, name, threads=threads)
        _warn_once(f"{_name(usable[0])} cannot run {name}, so the CPU is used: {reason}")
        return session
    for lost in usable:
        if _name(lost) not in session.get_providers():
            reason = "its libraries do not load; `facedots doctor` tells more"
            _warn_once(f"{_name(lost)} does not start, so the CPU is used: {reason}")
    return session


def run_session(
    session: "onnxruntime.InferenceSession", name: str, inputs: Mapping[str, Any]
) -> list[Any]:
    """All outputs of an open network, in their order.

    Raises:
        WeightsError: It fails, as for want of memory; ``name`` is in the message.
    """
    try:
        return list(session.run(None, inputs))
    except Exception as error:  # ONNX Runtime's errors have no narrower common base
        reason = " ".join(str(error).split())
        raise WeightsError(f"{name}: ONNX Runtime cannot run it: {reason}") from error


def _name(provider: Provider) -> str:
    return provider if isinstance(provider, str) else provider[0]


@functools.cache
def _warn_once(text: str) -> None:
    logging.getLogger("facedots").warning(text)
