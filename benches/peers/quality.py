"""The research recipe of CycleGAN in plain PyTorch, for `cargo xtask quality`, which compares it with geolearn's.

quality.py time FOLDER SECONDS FEATURES BLOCKS
quality.py train FOLDER SECONDS FEATURES BLOCKS STEP_SECONDS SEED WEIGHTS

FOLDER comes from `quality prepare` of examples/quality: chips in `train_a` and `train_b`, `ranges.json` with the values
that are mapped to -1 and 1, and `untrained.safetensors`, an untrained geolearn model. The trained weights are written to
WEIGHTS in the same format. `time` times a step for SECONDS; `train` trains as many whole epochs as fit into SECONDS at
STEP_SECONDS per step. Both print a line of JSON.

Networks, losses, the pool of 50 images, Adam, the learning rate (2e-4, constant for the first half of the epochs, then
decaying to zero) and the initial weights are the research code's; chips are enlarged by a random factor of up to 1.2, as in
geolearn's recipes here.
"""
import contextlib
import itertools
import json
import os
import random
import struct
import sys
import time

try:
    import numpy as np
    import torch
    from PIL import Image
    from torch import nn
except ImportError as error:
    sys.exit(f"quality.py needs torch, numpy and Pillow: {error}")

from train_step import Model, discriminator, generator

RATE = 2e-4
POOL = 50
ZOOM = 1.2
WARM_UP, LEAST_STEPS = 10, 10


class Pool:
    """Pool of older generated images: with probability one half, a new image is swapped for one of them."""

    def __init__(self):
        self.images = []

    def query(self, image):
        if len(self.images) < POOL:
            self.images.append(image)
            return image
        if random.random() < 0.5:
            return image
        place = random.randrange(POOL)
        older, self.images[place] = self.images[place], image
        return older


class Research(Model):
    def __init__(self, device, features, blocks):
        nets = {name: discriminator(features=features) for name in ("D_A", "D_B")}
        nets |= {name: generator(features=features, blocks=blocks) for name in ("G_A", "G_B")}
        for net in nets.values():
            net.apply(initialise)
        super().__init__(nets, device, tuned=False)
        self.pools = {"D_A": Pool(), "D_B": Pool()}

    def discriminator_loss(self, name, real, fake):
        return super().discriminator_loss(name, real, self.pools[name].query(fake.detach()))

    def rate(self, rate):
        for group in itertools.chain(self.generators.param_groups, self.discriminators.param_groups):
            group["lr"] = rate


def initialise(layer):
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, 0.0, 0.02)
        nn.init.zeros_(layer.bias)


class Chips:
    """Returns the decoded chips of a domain, which fit in memory."""

    def __init__(self, folder, name, ranges, device):
        low, high = (torch.tensor(ranges[name][end]).reshape(-1, 1, 1) for end in ("min", "max"))
        if len(low) != 3:
            sys.exit(f"the recipe pytorch needs chips with three bands, found {len(low)}; remove it from --recipes")
        self.images = []
        for file in sorted(os.listdir(os.path.join(folder, f"train_{name}"))):
            image = np.asarray(Image.open(os.path.join(folder, f"train_{name}", file)).convert("RGB"), dtype=np.float32)
            # A band with a single value becomes -1.
            scaled = 2 * (torch.from_numpy(image.copy()).permute(2, 0, 1) - low) / (high - low).clamp(min=1e-9) - 1
            self.images.append(scaled.float().unsqueeze(0).to(device))

    def __len__(self):
        return len(self.images)

    def varied(self, index):
        """Enlarges a chip by a random factor and crops it to size at a random position."""
        image = self.images[index]
        size = 1 / random.uniform(1, ZOOM)
        x, y = (random.uniform(-1, 1) * (1 - size) for _ in range(2))
        window = torch.tensor([[[size, 0, x], [0, size, y]]], device=image.device)
        grid = nn.functional.affine_grid(window, image.shape, align_corners=False)
        return nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=False)


def epoch(a, b):
    """Yields every chip of the larger domain once, in random order, each with a random chip of the other."""
    larger = max(len(a), len(b))
    for index in random.sample(range(larger), larger):
        yield a.varied(index % len(a)), b.varied(random.randrange(len(b)))


def seconds_of_step(model, a, b, enough):
    batches = itertools.chain.from_iterable(epoch(a, b) for _ in itertools.count())
    for _ in range(WARM_UP):
        model.step(*next(batches), contextlib.nullcontext)
    begin = time.perf_counter()
    for steps in itertools.count(1):
        # Reading waits for the device.
        model.step(*next(batches), contextlib.nullcontext).tolist()
        took = time.perf_counter() - begin
        if steps >= LEAST_STEPS and took >= enough:
            return took / steps


def train(model, a, b, epochs):
    decayed = epochs // 2
    for number in range(epochs):
        model.rate(RATE * (1 - max(0, number + 1 - (epochs - decayed)) / (decayed + 1)))
        for pair in epoch(a, b):
            losses = model.step(*pair, contextlib.nullcontext)
        losses = ", ".join(f"{loss:.3f}" for loss in losses.tolist())
        print(f"epoch {number + 1} of {epochs}, losses of the last step {losses}", file=sys.stderr, flush=True)


def write(model, untrained, path):
    """Writes geolearn's file with new values; names, shapes and the definition in its header stay the same."""
    with open(untrained, "rb") as file:
        content = bytearray(file.read())
    begin = 8 + struct.unpack("<Q", content[:8])[0]
    places = json.loads(content[8:begin])
    places.pop("__metadata__")
    trained = {f"{name}.{key}": value for name, net in model.nets.items() for key, value in net.state_dict().items()}
    if trained.keys() != places.keys():
        sys.exit(f"{untrained} has different tensors: {sorted(trained.keys() ^ places.keys())[:5]}")
    for name, value in trained.items():
        first, last = places[name]["data_offsets"]
        if list(value.shape) != places[name]["shape"]:
            sys.exit(f"{name} has shape {list(value.shape)}, expected {places[name]['shape']}")
        content[begin + first : begin + last] = value.cpu().numpy().astype("<f4").tobytes()
    with open(path, "wb") as file:
        file.write(content)


def data(folder, device):
    with open(os.path.join(folder, "ranges.json")) as file:
        ranges = json.load(file)
    return [Chips(folder, name, ranges, device) for name in ("a", "b")]


def seeded(seed, device, features, blocks):
    torch.manual_seed(seed)
    random.seed(seed)
    return Research(device, int(features), int(blocks))


def timed(device, folder, seconds, features, blocks):
    a, b = data(folder, device)
    return {"step_seconds": seconds_of_step(seeded(0, device, features, blocks), a, b, float(seconds))}


def trained(device, folder, seconds, features, blocks, step, seed, weights):
    seconds, step = float(seconds), float(step)
    a, b = data(folder, device)
    steps = max(len(a), len(b))
    epochs = int(seconds / (step * steps))
    if epochs < 1:
        sys.exit(f"one epoch takes {step * steps:.1f} s, more than the {seconds} s available")
    model = seeded(int(seed), device, features, blocks)
    begin = time.perf_counter()
    train(model, a, b, epochs)
    took = time.perf_counter() - begin
    write(model, os.path.join(folder, "untrained.safetensors"), weights)
    return {
        "epochs": epochs, "steps": epochs * steps, "seconds": took, "step_seconds": step, "chips_a": len(a),
        "chips_b": len(b), "threads": torch.get_num_threads(), "device": device, "by": f"torch {torch.__version__}",
    }


def main(task, *words):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    task, count = {"time": (timed, 4), "train": (trained, 7)}.get(task, (None, 0))
    if len(words) != count:
        sys.exit(__doc__)
    print(json.dumps(task(device, *words)))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
