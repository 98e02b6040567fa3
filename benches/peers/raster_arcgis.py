"""Translates a scene with arcgis.learn's own functions for each input line: the peer of `cargo bench --bench raster`.

    python raster_arcgis.py REPOSITORY SCENE

The raster function itself runs only in ArcGIS Pro. Here the scene passes through its scaling, tiling, network call and
blending, in blocks of four by four tiles of 64 pixels with its default padding of 16; rasterio or Pillow does the reading and
writing. The network is that of the fixture `tests/fixtures/arcgis/make_tiles.py`.
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(sys.argv[1]) / "tests/fixtures/arcgis"))
import make_tiles as peer  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
BLOCK = 4 * (peer.TILE - 2 * peer.PADDING)


def translate(path, output):
    scene = np.asarray(Image.open(path)).transpose(2, 0, 1)
    _, height, width = scene.shape
    margin = peer.PADDING
    padded = np.pad(scene, ((0, 0), (margin, margin + BLOCK), (margin, margin + BLOCK)), mode="reflect")
    made = np.empty_like(scene)
    for row in range(0, height, BLOCK):
        for column in range(0, width, BLOCK):
            side = BLOCK + 2 * margin
            block = padded[:, row : row + side, column : column + side].astype(np.float32)
            values = np.rint(peer.blended(block)).clip(0, 255).astype(np.uint8)
            rows, columns = min(BLOCK, height - row), min(BLOCK, width - column)
            made[:, row : row + rows, column : column + columns] = values[:, :rows, :columns]
    Image.fromarray(made.transpose(1, 2, 0)).save(output, compression="tiff_adobe_deflate")


with tempfile.TemporaryDirectory() as folder:
    print("ready", flush=True)
    for _ in sys.stdin:
        translate(sys.argv[2], Path(folder) / "out.tif")
        print("done", flush=True)
