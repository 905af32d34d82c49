"""What is installed: floors exclude known holes, constraints and lock agree, all has hashes."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [
    Requirement(line)
    for lines in (PROJECT["dependencies"], *(EXTRAS[name] for name in EXTRAS if name != "ray"))
    for line in lines
]
"""All but Ray, which only `make test-scale` installs, into an environment of its own."""


def pins(file: str) -> dict[str, str]:
    """Name -> version of the lines ``name==version``."""
    lines = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / file).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


CONSTRAINTS, LOCK = pins("constraints.txt"), pins("requirements.lock")


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("torch", ["2.5.1", "2.9.1"]),
        ("onnx", ["1.20.1"]),
        ("opencv-python", ["4.11.0.86", "4.13.0.92", "5.0.0"]),
        ("pillow", ["12.1.1", "12.2.0"]),
        ("pytorch-lightning", ["2.6.2", "2.6.3"]),
    ],
)
def test_versions_with_known_holes_are_excluded(name: str, versions: list[str]) -> None:
    requirements = [requirement for requirement in REQUIREMENTS if requirement.name == name]
    assert requirements
    for requirement in requirements:
        assert not [version for version in versions if version in requirement.specifier]


def test_the_lock_holds_the_versions_of_the_constraints() -> None:
    assert {name: LOCK.get(name) for name in CONSTRAINTS} == CONSTRAINTS
    text = (ROOT / "requirements.lock").read_text()
    everywhere = re.findall(r"^([\w.-]+)==\S+ \\$", text, re.MULTILINE)  # without a platform
    assert {canonicalize_name(name) for name in everywhere} <= set(CONSTRAINTS)


def test_everything_required_is_pinned_within_its_bounds() -> None:
    for requirement in REQUIREMENTS:
        name = canonicalize_name(requirement.name)
        if name != "facedots":
            assert Version(LOCK[name]) in requirement.specifier, requirement
            assert name in CONSTRAINTS, requirement


def test_every_package_of_the_lock_has_hashes() -> None:
    entries = re.split(r"\n(?=[a-z])", (ROOT / "requirements.lock").read_text())[1:]
    assert len(entries) == len(LOCK) > 100
    assert not [entry for entry in entries if "--hash=sha256:" not in entry]
