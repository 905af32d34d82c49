# %% [markdown]
# # 1. Look at the data
#
# Test.

# %%
# %matplotlib inline
import os

from PIL import Image

import facedots
from facedots.data.splits import load_split
from facedots.view.curves import ced_figure
from facedots.view.keypoints import draw_numbered

DATA = os.environ.get("FACEDOTS_DATA", "synthetic:240")
split = load_split(DATA, ["youtube-faces"], "official")
len(split.train)

# %%
face = split.train[0]
Image.fromarray(draw_numbered(facedots.read_image(face.image), face.points, facedots.IBUG68))

# %%
ced_figure({"x": [1, 2, 3]})

# %%
# %%capture
print("hidden")
