"""The steps of the Dockerfile in a folder of their own, and what runs from it."""

import inspect
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from facedots.cli.serve import serve

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
CONTEXT = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"]
PREFIX = "/opt/facedots"
PYTHONS = "/usr/local/bin:/usr/bin:/bin"  # As in an image: any user may run them.
READ_ONLY_AS_USER = """
mount -o remount,bind,ro /
mount -t tmpfs -o size=16m,mode=1777 tmpfs /mnt
cd /
exec setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs "$@"
"""


def instruction(name: str) -> str:
    """What follows the last instruction of this name."""
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)[-1]


def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return services


def test_what_the_containers_start_exists() -> None:
    options = {"--" + name for name in inspect.signature(serve).parameters}
    for words in (json.loads(instruction("CMD")), compose()["facedots"]["command"]):
        assert words[0] == serve.__name__
        assert {word for word in words if word.startswith("--")} <= options
    scrape = yaml.safe_load((ROOT / "prometheus.yaml").read_text())["scrape_configs"][0]
    assert scrape["static_configs"] == [{"targets": ["facedots:8000"]}]
    assert "./prometheus.yaml:" in compose()["prometheus"]["volumes"][0]


def test_only_what_is_built_goes_into_the_context() -> None:
    assert (ROOT / ".dockerignore").read_text().startswith("*\n")
    assert all(list(ROOT.glob(pattern)) for pattern in CONTEXT)
    assert set(CONTEXT) == {"LICENSE*", "README.md", "constraints.txt", "pyproject.toml", "src"}


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """``/opt/facedots``, elsewhere."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder, source = Path(name), Path(name) / "source"
        folder.chmod(0o755)
        for file in [file for pattern in CONTEXT for file in ROOT.glob(pattern)]:
            copy = shutil.copytree if file.is_dir() else shutil.copy
            source.mkdir(exist_ok=True)
            copy(file, source / file.name)
        target = folder / "facedots"
        steps = instruction("RUN").replace(PREFIX, str(target))
        variables = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
        variables |= {"PATH": PYTHONS}
        subprocess.run(["sh", "-ec", steps], cwd=source, env=variables, check=True, timeout=900)
        shutil.rmtree(source)
        yield target


@contextmanager
def server(installed: Path, *sandbox: str) -> Iterator[tuple[str, int]]:
    """Address and process of a service, in a sandbox or without."""
    command = [*sandbox, str(installed / "bin" / "facedots"), "serve", "--port", "0"]
    variables = {"PATH": f"{installed}/bin:{PYTHONS}", "TMPDIR": "/mnt" if sandbox else "/tmp"}
    with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = list[str]()
        try:
            for line in process.stderr:
                lines.append(line)
                if address := re.search(r"http://127\.0\.0\.1:\d+", line):
                    yield address[0], process.pid
                    return
            pytest.fail("".join(lines))
        finally:
            process.terminate()
            process.communicate(timeout=60)


def is_healthy(installed: Path, address: str) -> bool:
    """What the health check of the image says."""
    command = instruction("HEALTHCHECK").partition(" CMD ")[2]
    _, *arguments = json.loads(command.replace("http://127.0.0.1:8000", address))
    check = [str(installed / "bin" / "python3"), *arguments]
    return subprocess.run(check, capture_output=True, timeout=60, check=False).returncode == 0


def faces(address: str, portrait: bytes) -> int:
    request = urllib.request.Request(f"{address}/v1/faces", portrait, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return len(json.load(answer)["images"][0]["faces"])


@pytest.mark.service
def test_the_image_needs_no_window_system(installed: Path) -> None:
    code = "import cv2; print(cv2.getBuildInformation())"
    call = [str(installed / "bin" / "python3"), "-c", code]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=True)
    assert re.search(r"GUI:\s+NONE", done.stdout)


@pytest.mark.service
def test_the_container_answers(installed: Path, portrait: bytes) -> None:
    with server(installed) as (address, _):
        assert faces(address, portrait) == 1
        assert is_healthy(installed, address)
    assert not is_healthy(installed, address)


@pytest.mark.service
def test_a_user_on_a_read_only_root_is_enough(installed: Path, portrait: bytes) -> None:
    sandbox = ["unshare", "--mount", "sh", "-ec", READ_ONLY_AS_USER, "sh"]
    if subprocess.run([*sandbox, "true"], capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("unshare and setpriv as root are needed")
    with server(installed, *sandbox) as (address, process):
        status = Path(f"/proc/{process}/status").read_text()
        assert re.search(r"^Uid:\t10001\t10001\t10001\t10001$", status, re.MULTILINE)
        mounts = Path(f"/proc/{process}/mounts").read_text()
        assert re.search(r"^\S+ / \S+ ro,", mounts, re.MULTILINE)
        assert faces(address, portrait) == 1
