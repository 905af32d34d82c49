"""Build the page of ``web/page`` into the package, where ``facedots serve`` shows it.

    python tools/web_page.py

Needs the npm packages that ``make page`` installs. The sample is a drawn face.
"""

import subprocess
from pathlib import Path

import numpy as np
import web_constants

from facedots import write_image
from facedots.data import draw_face

WEB = Path(__file__).parents[1] / "web"
SAMPLE_SEED = (0, 0)


def main() -> None:
    """Draw the sample, then build the npm package and the page upon it."""
    sample, _ = draw_face(np.random.default_rng(SAMPLE_SEED))
    write_image(WEB / "page" / "public" / "sample.png", sample)
    web_constants.write(web_constants.PACKAGE)
    for part in ("package", "page"):
        subprocess.run(["npm", "run", "--silent", "build"], cwd=WEB / part, check=True)


if __name__ == "__main__":
    main()
