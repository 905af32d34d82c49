"""Build the page of ``web/page``: a folder for any host in ``web/page/dist``, and the same for
``facedots web`` and ``facedots serve`` in the package, without the networks that this has anyway.

    python tools/web_page.py

Needs the npm packages that ``make page`` installs. The sample is a drawn face.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import web_constants

from facedots import write_image
from facedots.data import draw_face
from facedots.web_page import FOLDER, network_of

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"
SAMPLE_SEED = (0, 0)


def main() -> None:
    """Draw the sample, build the npm package and the page upon it, copy the page."""
    public = WEB / "page" / "public"
    sample, _ = draw_face(np.random.default_rng(SAMPLE_SEED))
    write_image(public / "sample.jpg", sample)
    shutil.copyfile(ROOT / "LICENSE-WEIGHTS.md", public / "license-weights.txt")
    web_constants.write(web_constants.PACKAGE)
    for part in ("package", "page"):
        subprocess.run(["npm", "run", "--silent", "build"], cwd=WEB / part, check=True)
    copy(WEB / "page" / "dist", FOLDER)


def copy(built: Path, folder: Path) -> None:
    """Copy a built page anew, without those networks."""

    def networks(path: str, names: list[str]) -> list[str]:
        below = Path(path).relative_to(built)
        return [name for name in names if network_of((below / name).as_posix())]

    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(built, folder, ignore=networks)


if __name__ == "__main__":
    main()
