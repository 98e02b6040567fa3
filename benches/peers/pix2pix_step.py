"""A training step of Pix2Pix in PyTorch, for train_step.py.

Uses the networks that geolearn shares with arcgis.learn, a U-Net and a discriminator of pairs; the depth of the U-Net follows
from the weights. The losses are those of the paper (Isola et al. 2017): cross-entropy, and 100 times the L1 distance. Dropout
is off, so that the losses can be compared.
"""
import itertools
import os

import torch
from torch import nn

SLOPE = 0.2
L1_WEIGHT = 100


def features(level, first=64):
    return first << (min(level, 4) - 1)


class Down(nn.Module):
    def __init__(self, inputs, outputs, normed):
        super().__init__()
        norm = [nn.InstanceNorm2d(outputs)] if normed else []
        conv = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
        self.model = nn.Sequential(conv, *norm, nn.LeakyReLU(SLOPE))

    def forward(self, x):
        return self.model(x)


class Up(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        conv = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
        self.model = nn.Sequential(conv, nn.InstanceNorm2d(outputs), nn.ReLU(True))

    def forward(self, x, skip):
        return torch.cat((self.model(x), skip), 1)


class Unet(nn.Module):
    def __init__(self, levels, bands=3):
        super().__init__()
        self.levels = levels
        for level in range(1, levels + 1):
            inputs = bands if level == 1 else features(level - 1)
            setattr(self, f"down{level}", Down(inputs, features(level), 1 < level < levels))
        for level in range(levels, 1, -1):
            inputs = features(level) * (1 if level == levels else 2)
            setattr(self, f"up{levels - level + 1}", Up(inputs, features(level - 1)))
        last = nn.Conv2d(2 * features(1), bands, 4, padding=1)
        self.final = nn.Sequential(nn.Upsample(scale_factor=2), nn.ZeroPad2d((1, 0, 1, 0)), last, nn.Tanh())

    def forward(self, x):
        maps = []
        for level in range(1, self.levels + 1):
            x = getattr(self, f"down{level}")(x)
            maps.append(x)
        maps.pop()
        for up in range(1, self.levels):
            x = getattr(self, f"up{up}")(x, maps.pop())
        return self.final(x)


def discriminator(bands=3):
    layers = [nn.Conv2d(2 * bands, features(1), 4, 2, 1), nn.LeakyReLU(SLOPE, True)]
    for level in (2, 3, 4):
        conv = nn.Conv2d(features(level - 1), features(level), 4, 2, 1)
        layers += [conv, nn.InstanceNorm2d(features(level)), nn.LeakyReLU(SLOPE, True)]
    layers += [nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(features(4), 1, 4, padding=1, bias=False)]
    return nn.ModuleDict({"model": nn.Sequential(*layers)})


def initial(folder):
    """Returns both networks with the weights that `step prepare` wrote."""
    weights = torch.load(os.path.join(folder, "initial.pth"), weights_only=True)
    levels = next(level for level in itertools.count() if f"G.down{level + 1}.model.0.weight" not in weights)
    nets = {"D": discriminator(), "G": Unet(levels)}
    for name, net in nets.items():
        net.load_state_dict({key[2:]: value for key, value in weights.items() if key.startswith(name + ".")})
    nets["D"] = nets["D"]["model"]
    return nets


class Model:
    def __init__(self, nets, device, tuned):
        self.nets, self.tuned = nets, tuned
        for net in nets.values():
            net.to(device)
            if tuned:
                net.to(memory_format=torch.channels_last)
        adam = lambda name: torch.optim.Adam(
            nets[name].parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True if tuned else None
        )
        self.of_generator, self.of_discriminator = adam("G"), adam("D")
        self.gan, self.l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()

    def judged(self, score, real):
        return self.gan(score, torch.full_like(score, float(real)))

    def scores(self, a, b):
        return self.nets["D"](torch.cat((a, b), 1))

    def discriminator_loss(self, a, b, made):
        if not self.tuned:
            return 0.5 * (self.judged(self.scores(a, b), True) + self.judged(self.scores(a, made), False))
        on_real, on_made = self.scores(torch.cat((a, a)), torch.cat((b, made))).chunk(2)
        return 0.5 * (self.judged(on_real, True) + self.judged(on_made, False))

    def step(self, a, b, cast):
        with cast():
            made = self.nets["G"](a)
        self.nets["D"].requires_grad_(True)
        self.of_discriminator.zero_grad()
        with cast():
            judged = self.discriminator_loss(a, b, made.detach())
        judged.backward()
        self.of_discriminator.step()
        self.nets["D"].requires_grad_(False)
        self.of_generator.zero_grad()
        with cast():
            adversarial = self.judged(self.scores(a, made), True)
            reconstruction = L1_WEIGHT * self.l1(made, b)
            total = adversarial + reconstruction
        total.backward()
        self.of_generator.step()
        return torch.stack([loss.detach() for loss in (total, adversarial, reconstruction, judged)])
