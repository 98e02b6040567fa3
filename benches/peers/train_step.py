"""A training step in PyTorch, for `cargo xtask compare` and `gpu-check`, which run it alongside geolearn.

train_step.py WAY FOLDER SIDE BATCH PRECISION [MODEL]
train_step.py --bench WAY FOLDER SIDE BATCHES FILE [STEPS]

WAY is `plain`, the recipe of the research code (one generator call per image, two calls per discriminator,
torch.optim.Adam), or `tuned`, the same step with all common PyTorch optimizations: batched calls, channels_last, fused Adam,
autocast, torch.compile if it works, cuDNN benchmarking. PRECISION is f32, bf16 or tf32; `plain` is always f32. MODEL is
`cyclegan` (the default; networks and losses are in this file) or `pix2pix` (in pix2pix_step.py).

Input and output have the format of examples/step.

With --bench, WAY is one of `plain-f32` (no TF32), `plain-default` (PyTorch's defaults: TF32 in convolutions), `plain-bf16`
(autocast) and `tuned-bf16-compile`; BATCHES are sizes such as 1,8; FOLDER has a subfolder for each, written by `step
prepare`; a line of JSON for each is appended to FILE, as by `step bench`.
"""
import itertools
import json
import math
import os
import sys
import time

import pix2pix_step
import torch
from torch import nn

SLOPE = 0.2


class Block(nn.Module):
    def __init__(self, features):
        super().__init__()
        conv = lambda: nn.Conv2d(features, features, 3)
        norm = lambda: nn.InstanceNorm2d(features)
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), conv(), norm(), nn.ReLU(True), nn.ReflectionPad2d(1), conv(), norm()
        )

    def forward(self, x):
        return x + self.conv_block(x)


def generator(bands=3, features=64, blocks=9):
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(bands, features, 7), nn.InstanceNorm2d(features), nn.ReLU(True)]
    for width in (features, 2 * features):
        layers += [nn.Conv2d(width, 2 * width, 3, 2, 1), nn.InstanceNorm2d(2 * width), nn.ReLU(True)]
    layers += [Block(4 * features) for _ in range(blocks)]
    for width in (4 * features, 2 * features):
        up = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1)
        layers += [up, nn.InstanceNorm2d(width // 2), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(features, bands, 7), nn.Tanh())


def discriminator(bands=3, features=64):
    layers = [nn.Conv2d(bands, features, 4, 2, 1), nn.LeakyReLU(SLOPE, True)]
    for width, stride in ((features, 2), (2 * features, 2), (4 * features, 1)):
        conv = nn.Conv2d(width, 2 * width, 4, stride, 1)
        layers += [conv, nn.InstanceNorm2d(2 * width), nn.LeakyReLU(SLOPE, True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * features, 1, 4, 1, 1))


def initial(folder):
    """Returns the four networks with the weights that `step prepare` wrote."""
    nets = {"D_A": discriminator(), "D_B": discriminator(), "G_A": generator(), "G_B": generator()}
    weights = torch.load(os.path.join(folder, "initial.pth"), weights_only=True)
    for name, net in nets.items():
        own = {key[len(name) + 1 :]: value for key, value in weights.items() if key.startswith(name + ".")}
        net.load_state_dict(own)
    return nets


class Model:
    """Uses arcgis.learn's letters: G_A generates images of domain A, D_A discriminates them."""

    def __init__(self, nets, device, tuned):
        self.nets, self.device, self.tuned = nets, device, tuned
        for net in nets.values():
            net.to(device)
            if tuned:
                net.to(memory_format=torch.channels_last)
        adam = lambda *names: torch.optim.Adam(
            itertools.chain(*(self.nets[name].parameters() for name in names)),
            lr=2e-4, betas=(0.5, 0.999), fused=True if tuned else None,
        )
        self.generators, self.discriminators = adam("G_A", "G_B"), adam("D_A", "D_B")
        self.gan, self.l1 = nn.MSELoss(), nn.L1Loss()

    def judged(self, score, real):
        return self.gan(score, torch.full_like(score, float(real)))

    def images(self, a, b):
        g_a, g_b = self.nets["G_A"], self.nets["G_B"]
        if not self.tuned:
            fake_b, fake_a = g_b(a), g_a(b)
            return fake_a, fake_b, g_a(fake_b), g_b(fake_a), g_a(a), g_b(b)
        fake_a, same_a = g_a(torch.cat((b, a))).chunk(2)
        fake_b, same_b = g_b(torch.cat((a, b))).chunk(2)
        return fake_a, fake_b, g_a(fake_b), g_b(fake_a), same_a, same_b

    def generator_losses(self, a, b):
        fake_a, fake_b, cycled_a, cycled_b, same_a, same_b = self.images(a, b)
        adversarial = self.judged(self.nets["D_A"](fake_a), True) + self.judged(self.nets["D_B"](fake_b), True)
        cycle = 10 * (self.l1(cycled_a, a) + self.l1(cycled_b, b))
        identity = 5 * (self.l1(same_a, a) + self.l1(same_b, b))
        return fake_a, fake_b, (adversarial + cycle + identity, adversarial, cycle, identity)

    def discriminator_loss(self, name, real, fake):
        net = self.nets[name]
        if not self.tuned:
            return 0.5 * (self.judged(net(real), True) + self.judged(net(fake.detach()), False))
        on_real, on_fake = net(torch.cat((real, fake.detach()))).chunk(2)
        return 0.5 * (self.judged(on_real, True) + self.judged(on_fake, False))

    def freeze(self, frozen):
        for name in ("D_A", "D_B"):
            self.nets[name].requires_grad_(not frozen)

    def step(self, a, b, cast):
        self.freeze(True)
        self.generators.zero_grad()
        with cast():
            fake_a, fake_b, losses = self.generator_losses(a, b)
        losses[0].backward()
        self.generators.step()
        self.freeze(False)
        self.discriminators.zero_grad()
        with cast():
            loss_a = self.discriminator_loss("D_A", a, fake_a)
        loss_a.backward()
        with cast():
            loss_b = self.discriminator_loss("D_B", b, fake_b)
        loss_b.backward()
        self.discriminators.step()
        return torch.stack([loss.detach() for loss in (*losses, loss_a, loss_b)])


def batches(folder, side, batch, device, tuned):
    def read(name):
        with open(os.path.join(folder, name), "rb") as file:
            values = torch.frombuffer(bytearray(file.read()), dtype=torch.float32)
        values = values.reshape(-1, batch, 3, side, side).to(device)
        return [x.contiguous(memory_format=torch.channels_last) if tuned else x for x in values]

    return list(zip(read("a.f32"), read("b.f32")))


def set_up(device, tuned, tf32):
    """Sets the precision; None for `tf32` keeps PyTorch's defaults."""
    torch.manual_seed(0)
    if device == "cuda":
        torch.backends.cudnn.benchmark = tuned
        if tf32 is not None:
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32


def compiled(model):
    model.nets = {name: torch.compile(net) for name, net in model.nets.items()}


def main(way, folder, side, batch, precision, kind="cyclegan"):
    side, batch, tuned = int(side), int(batch), way == "tuned"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    set_up(device, tuned, precision == "tf32")
    if kind == "pix2pix":
        model = pix2pix_step.Model(pix2pix_step.initial(folder), device, tuned)
    else:
        model = Model(initial(folder), device, tuned)
    words = ""
    if tuned and os.environ.get("GEOLEARN_COMPARE_COMPILE", "1") != "0":
        compiled(model)
        words = ", torch.compile"
    cast = lambda: torch.autocast(device, torch.bfloat16, enabled=tuned and precision == "bf16")
    data = batches(folder, side, batch, device, tuned)
    print(f"ready on {device}, {torch.get_num_threads()} threads, torch {torch.__version__}{words}", flush=True)
    done = 0
    for line in sys.stdin:
        times, losses = [], None
        for _ in range(int(line)):
            begin = time.perf_counter()
            # Reading waits for the device.
            losses = model.step(*data[done % len(data)], cast).double().tolist()
            times.append(time.perf_counter() - begin)
            done += 1
        print(*times)
        print(*losses, flush=True)


# Tuned, TF32 (None: PyTorch's default), precision, torch.compile.
WAYS = {
    "plain-f32": (False, False, "f32", False),
    "plain-default": (False, None, "tf32", False),
    "plain-bf16": (False, None, "bf16", False),
    "tuned-bf16-compile": (True, None, "bf16", True),
}
WARM_UP = 10
# For steps slower than this many milliseconds, at most MOST_OF_SLOW are timed.
SLOW_MS, MOST_OF_SLOW = 200, 20


def reset_memory(device):
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    elif os.path.exists("/proc/self/clear_refs"):
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")


def peak_mib(device):
    """Returns the peak memory: of tensors on the device, or of the whole process on the CPU."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM:")).split()[1]) / 1024


def measured(way, folder, side, batch, steps, device):
    tuned, tf32, precision, compiling = WAYS[way]
    set_up(device, tuned, tf32)
    reset_memory(device)
    model = Model(initial(folder), device, tuned)
    if compiling:
        compiled(model)
    cast = lambda: torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
    data = itertools.cycle(batches(folder, side, batch, device, tuned))
    read = lambda: model.step(*next(data), cast).double().tolist()
    first_losses = read()
    for _ in range(WARM_UP - 1):
        begin = time.perf_counter()
        read()
        last = 1e3 * (time.perf_counter() - begin)
    if last > SLOW_MS:
        steps = min(steps, MOST_OF_SLOW)
    times = []
    for _ in range(steps):
        begin = time.perf_counter()
        read()
        times.append(1e3 * (time.perf_counter() - begin))
    begin = time.perf_counter()
    for _ in range(steps - 1):
        model.step(*next(data), cast)
    read()
    unread = 1e3 * (time.perf_counter() - begin) / steps
    times.sort()
    at = lambda share: times[round((len(times) - 1) * share)]
    return {
        "device": device, "steps": steps, "median_ms": at(0.5), "p10_ms": at(0.1), "p90_ms": at(0.9),
        "unread_ms": unread, "memory_mib": peak_mib(device),
        # JSON cannot represent NaN.
        "first_losses": [loss if math.isfinite(loss) else None for loss in first_losses],
    }


def bench(way, folder, side, sizes, file, steps=30):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    failed = 0
    for batch in map(int, sizes.split(",")):
        # PyTorch's default is f32 if there is no TF32.
        precision = WAYS[way][2] if device == "cuda" or way != "plain-default" else "f32"
        row = {"way": way, "side": int(side), "batch": batch, "precision": precision}
        try:
            row |= measured(way, os.path.join(folder, str(batch)), int(side), batch, int(steps), device)
        except Exception as error:
            failed += 1
            row["error"] = f"{type(error).__name__}: {error}".split("\n")[0]
        with open(file, "a") as out:
            print(json.dumps(row), file=out)
        print(json.dumps(row), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bench"]:
        bench(*sys.argv[2:])
    main(*sys.argv[1:])
