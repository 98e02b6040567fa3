"""Times other loaders on a folder of chips: `loaders.py PEER FOLDER WORKERS SECONDS`.

PEER is `pillow` or `torchvision` (torch's DataLoader with that decoder) or `arcgis`. Each loads whole epochs
of normalized, shuffled batches of both domains, without augmentation. Prints one `name value` pair per line; exits with 3 if
the peer is not installed.
"""

import os
import resource
import sys
import time
from pathlib import Path

BATCH = 8


def decode_pillow(path):
    import numpy
    import torch
    from PIL import Image

    with Image.open(path) as image:
        pixels = numpy.array(image.convert("RGB"))
    # As torchvision's ToTensor does.
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().to(torch.float32).div(255)


def decode_torchvision(path):
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg, decode_png, read_file

    decode = decode_png if path.endswith(".png") else decode_jpeg
    return decode(read_file(path), ImageReadMode.RGB).to(torch.float32).div(255)


class Chips:
    """Returns chip i of A with a chip of B; the loader shuffles A, and B follows by a stride that visits all."""

    def __init__(self, folder, decode):
        self.a, self.b = (sorted(str(f) for f in Path(folder, d, "images").iterdir()) for d in "AB")
        self.decode = decode

    def __len__(self):
        return max(len(self.a), len(self.b))

    def __getitem__(self, index):
        a, b = self.a[index % len(self.a)], self.b[(index * 7 + 3) % len(self.b)]
        return tuple(self.decode(path).sub_(0.5).div_(0.5) for path in (a, b))


def torch_loader(folder, workers, decode):
    import torch

    torch.set_num_threads(1)
    chips = Chips(folder, decode)
    # Workers persist between epochs, which is faster.
    return torch.utils.data.DataLoader(
        chips, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0, prefetch_factor=2 if workers else None
    ), 2 * len(chips)


def arcgis_loader(folder, workers):
    from arcgis_cpu import use

    prepare_data = use().prepare_data
    data = prepare_data(folder, dataset_type="CycleGAN", batch_size=BATCH, val_split_pct=0.1, transforms=False)
    loader = data.train_dl
    inner = loader.dl if hasattr(loader, "dl") else loader
    inner.__dict__["num_workers"] = workers
    if workers and inner.prefetch_factor is None:
        inner.__dict__["prefetch_factor"] = 2
    return loader, 2 * (len(inner) * BATCH if inner.drop_last else len(inner.dataset))


def cpu_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used) + living_workers()


def living_workers():
    """Returns the CPU time including workers, which getrusage counts only after they have exited."""
    ticks = 0
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                ticks += sum(map(int, Path("/proc", child, "stat").read_text().rsplit(")", 1)[1].split()[11:13]))
            except OSError:
                pass
    return ticks / os.sysconf("SC_CLK_TCK")


def main(peer, folder, workers, seconds):
    try:
        if peer == "arcgis":
            loader, chips = arcgis_loader(folder, workers)
        else:
            decode = {"pillow": decode_pillow, "torchvision": decode_torchvision}[peer]
            if peer == "torchvision":
                import torchvision  # noqa: F401
            loader, chips = torch_loader(folder, workers, decode)
    except ImportError as missing:
        print(missing, file=sys.stderr)
        sys.exit(3)
    asked = time.perf_counter()
    batches = iter(loader)
    next(batches)
    print("first_batch_s", time.perf_counter() - asked, flush=True)
    for _ in batches:
        pass
    begin, cpu, epochs = time.perf_counter(), cpu_seconds(), 0
    while time.perf_counter() - begin < seconds:
        epochs += 1
        for _ in loader:
            pass
    print("chips_per_s", epochs * chips / (time.perf_counter() - begin))
    print("chips_per_cpu_s", epochs * chips / (cpu_seconds() - cpu))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
