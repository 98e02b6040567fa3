"""Measures the time from the start of Python to the first translation, for benches/startup.rs: startup.py MODEL CHIP."""
import json
import os
import sys
import tempfile

import torch
from PIL import Image

from train_step import generator


def main(model, chip):
    name = os.path.basename(model)
    with open(os.path.join(model, name + ".emd")) as file:
        definition = json.load(file)
    weights = torch.load(os.path.join(model, name + ".pth"), weights_only=True)
    own = {key[4:]: value for key, value in weights.items() if key.startswith("G_B.")}
    net = generator(features=own["1.weight"].shape[0], blocks=definition["ModelParameters"]["gen_blocks"])
    net.load_state_dict(own)
    image = Image.open(chip).convert("RGB")
    values = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(image.height, image.width, 3)

    def bounds(key):
        statistics = definition[key]
        return [torch.tensor(statistics[f"band_{end}_values"])[:, None, None] for end in ("min", "max")]

    low, high = bounds("NormalizationStats")
    x = -1 + 2 * (values.permute(2, 0, 1).float() - low) / (high - low)
    with torch.no_grad():
        made = net(x[None])[0]
    low, high = bounds("NormalizationStats_b")
    made = ((made + 1) / 2 * (high - low) + low).round().clamp(0, 255).byte()
    picture = Image.frombytes("RGB", image.size, made.permute(1, 2, 0).contiguous().numpy().tobytes())
    with tempfile.TemporaryDirectory() as folder:
        picture.save(os.path.join(folder, "made.png"))


main(*sys.argv[1:])
