"""Makes the chips of this folder from those of ../bluemarble.

    python3 make.py        # needs rasterio 1.4.4

A: 13 bands of uint16, reflectance times 10,000, as Sentinel-2 has them. The spectra are simulated: smooth curves
through what red, green and blue say of vegetation, water, snow and soil. They are no measurements. B: shaded relief.
"""
import os

import numpy as np
import rasterio
from rasterio.transform import Affine

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["B01", "Blue", "Green", "Red", "B05", "B06", "B07", "NIR", "B8A", "B09", "B10", "SWIR1", "SWIR2"]
MICROMETRES = [0.443, 0.490, 0.560, 0.665, 0.705, 0.740, 0.783, 0.842, 0.865, 0.945, 1.375, 1.610, 2.190]
# Reflectance of pure covers at some wavelengths (micrometres), roughly as in textbooks.
AT = [0.4, 0.5, 0.56, 0.67, 0.75, 0.9, 1.4, 1.6, 2.2]
COVERS = {
    "vegetation": [0.03, 0.05, 0.10, 0.04, 0.40, 0.45, 0.20, 0.22, 0.10],
    "soil": [0.08, 0.13, 0.18, 0.25, 0.30, 0.35, 0.38, 0.42, 0.38],
    "snow": [0.90, 0.92, 0.92, 0.90, 0.87, 0.80, 0.20, 0.08, 0.05],
    "water": [0.08, 0.07, 0.05, 0.03, 0.01, 0.005, 0.0, 0.0, 0.0],
}


def place(name):
    """The upper left corner of a 12 arc minutes chip; see ../bluemarble/README.md."""
    row, column = int(name[1:5]), int(name[7:11])
    return Affine(0.2, 0.0, -180 + column / 15, 0.0, -0.2, 90 - row / 15)


def spectra(rgb):
    """(3, H, W) in 0 to 1 to (13, H, W)."""
    pure = np.array([[np.interp(w, AT, curve) for w in (0.65, 0.55, 0.45)] for curve in COVERS.values()]).T
    weights = np.linalg.lstsq(pure, rgb.reshape(3, -1) ** 2.2, rcond=None)[0].clip(0)
    curves = np.array([[np.interp(w, AT, curve) for w in MICROMETRES] for curve in COVERS.values()]).T
    return (curves @ weights).reshape(13, *rgb.shape[1:])


def write(path, values, name, names, **more):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    count, height, width = values.shape
    options = dict(driver="GTiff", count=count, height=height, width=width, dtype=values.dtype, crs="EPSG:4326")
    with rasterio.open(path, "w", **options, transform=place(name), compress="deflate", predictor=2, zlevel=9, **more) as file:
        file.write(values)
        file.descriptions = names


def read(domain, name):
    with rasterio.open(f"{HERE}/../bluemarble/{domain}/images/{name}.png") as file:
        return file.read()


def chosen(domain):
    names = sorted(file[:-4] for file in os.listdir(f"{HERE}/../bluemarble/{domain}/images"))
    return names[:: len(names) // 16][:16]


for i, name in enumerate(chosen("A")):
    values = np.rint(spectra(read("A", name) / 255) * 10000).clip(1, 65535).astype(np.uint16)
    if i % 5 == 0:
        # The edge of a swath.
        y, x = np.mgrid[:64, :64]
        values[:, x + y / 3 > 70] = 0
    write(f"{HERE}/A/images/{name}.tif", values, name, NAMES, nodata=0)
for name in chosen("B"):
    values = read("B", name)
    write(f"{HERE}/B/images/{name}.tif", values, name, ["red", "green", "blue"], photometric="rgb")
for file in sorted(os.listdir(f"{HERE}/../bluemarble_test/a")):
    with rasterio.open(f"{HERE}/../bluemarble_test/a/{file}") as image:
        values = np.rint(spectra(image.read() / 255) * 10000).clip(1, 65535).astype(np.uint16)
    write(f"{HERE}/../multispectral_test/a/{file[:-4]}.tif", values, file[:-4], NAMES, nodata=0)
