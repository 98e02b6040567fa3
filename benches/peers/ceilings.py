"""Measures the peak throughput of this device, for `cargo xtask gpu-check`: the yardstick for a training step.

ceilings.py FILE [--seconds S] [--tiny]

Measures products of large matrices, copies, and each convolution of the paper's generator and discriminator at 256 x 256
pixels as computed by PyTorch (cuDNN): NCHW and NHWC, forward, gradient of the data, gradient of the weights, in bf16 and
TF32, for 2 and 16 images (batches of 1 and 8, since both inputs of a generator are processed together). Writes a JSON
object to FILE. Stops after S seconds (default 40) and skips the rest. --tiny uses sizes small enough for any CPU, to test the
program itself.
"""
import argparse
import json
import time

import torch

# Name, input and output channels, kernel, stride, padding, input side, transposed, and how often it occurs in a
# network.
# The generator's maps already include their reflection padding.
SHAPES = [
    ("residual", 256, 256, 3, 1, 0, 66, False, 18),
    ("down 2", 128, 256, 3, 2, 1, 128, False, 1),
    ("up 1", 256, 128, 3, 2, 1, 64, True, 1),
    ("down 1", 64, 128, 3, 2, 1, 256, False, 1),
    ("up 2", 128, 64, 3, 2, 1, 128, True, 1),
    ("head", 3, 64, 7, 1, 0, 262, False, 1),
    ("tail", 64, 3, 7, 1, 0, 262, False, 1),
    ("disc 1", 3, 64, 4, 2, 1, 256, False, 1),
    ("disc 2", 64, 128, 4, 2, 1, 128, False, 1),
    ("disc 3", 128, 256, 4, 2, 1, 64, False, 1),
    ("disc 4", 256, 512, 4, 1, 1, 32, False, 1),
    ("disc 5", 512, 1, 4, 1, 1, 31, False, 1),
]
LAYOUTS = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}
DTYPES = {"bf16": torch.bfloat16, "tf32": torch.float32}
DIRECTIONS = ("forward", "data", "weights")
# Approximate seconds per measurement.
SECONDS_EACH = 0.01


class Clock:
    def __init__(self, device):
        self.cuda = device == "cuda"

    def wait(self):
        if self.cuda:
            torch.cuda.synchronize()

    def timed(self, work, times):
        self.wait()
        begin = time.perf_counter()
        for _ in range(times):
            work()
        self.wait()
        return (time.perf_counter() - begin) / times

    def seconds(self, work):
        """Returns the time of one call: the best of three rounds, after a warm-up round that selects kernels."""
        work()
        once = self.timed(work, 1)
        times = max(1, min(100, int(SECONDS_EACH / max(once, 1e-7))))
        return min(self.timed(work, times) for _ in range(3))


def matmul(clock, device, side):
    found = {}
    for name, dtype in DTYPES.items():
        a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        found[f"matmul_{name}_tflops"] = 2 * side**3 / clock.seconds(lambda: torch.mm(a, b)) / 1e12
    return found


def copy(clock, device, values):
    a = torch.randn(values, device=device)
    b = torch.empty_like(a)
    # One read and one write.
    return {"copy_gbs": 2 * 4 * values / clock.seconds(lambda: b.copy_(a)) / 1e9}


def convolution(clock, device, shape, images, dtype, layout):
    _, inputs, outputs, kernel, stride, padding, side, transposed, _ = shape
    extra = [stride - 1] * 2 if transposed else [0, 0]
    x = torch.randn(images, inputs, side, side, device=device, dtype=dtype).to(memory_format=layout)
    size = (inputs, outputs) if transposed else (outputs, inputs)
    w = torch.randn(*size, kernel, kernel, device=device, dtype=dtype).to(memory_format=layout)
    form = ([stride] * 2, [padding] * 2, [1, 1], transposed, extra, 1)
    forward = lambda: torch.ops.aten.convolution(x, w, None, *form)
    gradient = torch.ones_like(forward())
    backward = lambda *wanted: torch.ops.aten.convolution_backward(gradient, x, w, None, *form, [*wanted, False])
    pixels = side**2 if transposed else gradient.shape[-1] * gradient.shape[-2]
    operations = 2 * images * pixels * inputs * outputs * kernel**2
    works = (forward, lambda: backward(True, False), lambda: backward(False, True))
    return {name: operations / clock.seconds(work) / 1e12 for name, work in zip(DIRECTIONS, works)}


def tiny(shape):
    name, inputs, outputs, kernel, stride, padding, side, transposed, count = shape
    return name, min(inputs, 8), min(outputs, 8), kernel, stride, padding, max(side // 8, 8), transposed, count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--tiny", action="store_true")
    asked = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    clock, end = Clock(device), time.monotonic() + asked.seconds
    shapes = [tiny(shape) for shape in SHAPES] if asked.tiny else SHAPES
    found = {"device": torch.cuda.get_device_name() if device == "cuda" else "cpu", "torch": torch.__version__}
    if device == "cuda":
        found |= {"cudnn": torch.backends.cudnn.version(), "capability": torch.cuda.get_device_capability()}
    found |= matmul(clock, device, 64 if asked.tiny else 8192)
    found |= copy(clock, device, 1 << (16 if asked.tiny else 28))
    rows = found["convolutions"] = []
    left = 0
    # The most important ones first: large batches, then the most expensive layers.
    for images in (16, 2):
        for dtype in DTYPES:
            for shape in shapes:
                for layout in LAYOUTS:
                    if time.monotonic() > end:
                        left += 1
                        continue
                    rates = convolution(clock, device, shape, images, DTYPES[dtype], LAYOUTS[layout])
                    rows.append({"layer": shape[0], "images": images, "dtype": dtype, "layout": layout} | rates)
    found["not_measured"] = left
    with open(asked.file, "w") as file:
        json.dump(found, file, indent=1)
    print({name: value for name, value in found.items() if name != "convolutions"}, f"{len(rows)} convolutions")


if __name__ == "__main__":
    main()
