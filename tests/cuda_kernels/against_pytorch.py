"""Compares the CUDA kernels, emulated, with PyTorch's own operators and their gradients in f64.

    against_pytorch.py SHARED_OBJECT

What is compared is a whole layer, pad(leaky_relu(instance_norm(x)) + residual): its values, and the gradients of x and of the
residual, made by the seven kernels in turn, and where channels fill vectors, by those that keep a map in shared memory.
"""

import ctypes
import sys

import torch
from torch.nn.functional import instance_norm, leaky_relu, pad

EPSILON = 1e-5
# Sums of at most a thousand terms, each rounded; bf16 rounds once more as it stores, by up to 2^-8 of the value.
ELEMENTS = [(torch.bfloat16, torch.float32, 2**-8, 1e-5), (torch.float32, torch.float32, 0, 1e-5),
            (torch.float64, torch.float64, 0, 1e-12)]
# N, C, H, W, border, border of the residual, slope
FORMS = [(1, 8, 2, 2, 1, 0, 0.0), (2, 8, 5, 4, 3, 1, 0.2), (9, 3, 19, 7, 3, 3, 0.0), (1, 64, 16, 16, 1, 1, 1.0),
         (3, 12, 7, 3, 2, 2, 0.0), (2, 1, 4, 6, 0, 0, 0.2), (1, 512, 6, 5, 1, 0, 0.0), (2, 16, 13, 17, 3, 3, 1.0)]


def as_argument(value):
    if isinstance(value, torch.Tensor):
        return ctypes.c_void_p(value.data_ptr())
    return ctypes.c_double(value) if isinstance(value, float) else ctypes.c_int(value)


class Kernels:
    """Launches kernels for one shape of maps, with any `lanes`, `splits` and `blocks` that a caller may choose."""

    def __init__(self, library, element, channels, images):
        self.library, self.element, self.images, self.channels = library, element, images, channels
        self.vector = 16 // ELEMENTS[element][0].itemsize
        self.is_wide = channels % self.vector == 0
        self.form, self.groups = ("wide", channels // self.vector) if self.is_wide else ("single", channels)

    def launch(self, name, grid, block, arguments, shared=0):
        values = [as_argument(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        self.library.geolearn_emulated_launch(name.encode(), self.element, (ctypes.c_uint * 3)(*grid),
                                              (ctypes.c_uint * 2)(*block), shared, pointers)

    def over_maps(self, name, *arguments):
        self.launch(f"geolearn_{name}_{self.form}", (3, self.images, 1), (256, 1), arguments)

    def sums(self, name, splits, *arguments):
        chunks = -(-self.groups // 16)
        self.launch(f"geolearn_{name}_{self.form}", (chunks, splits, self.images), (16, 16), arguments)

    def means(self, name, *arguments):
        self.launch(f"geolearn_{name}", (-(-self.channels // 128), 1, self.images), (128, 1), arguments)

    def on_chip(self, name, threads, kept, *arguments):
        """`kept` is the number of pixels that a block keeps."""
        self.launch(f"geolearn_{name}", (-(-self.groups // 2), self.images, 1), (2, threads // 2), arguments, 2 * 16 * kept)


def interior(padded, border):
    return padded[:, border : padded.shape[1] - border, border : padded.shape[2] - border]


def by_kernels(kernels, form, x, residual, into, gradient):
    n, c, h, w, border, other, slope = form
    stored, summed = ELEMENTS[kernels.element][:2]
    splits = 3
    sums, moments, means = (torch.empty(shape, dtype=summed) for shape in [(n, splits, 2, c), (n, 2, c), (n, 2, c)])
    kernels.sums("moments_sums", splits, x, h * w, c, splits, sums)
    kernels.means("moments", x, sums, h * w, c, splits, EPSILON, moments)
    y = torch.empty(gradient.shape, dtype=stored)
    kernels.over_maps("normalise", x, moments, residual, other, slope, h, w, c, border, y)
    kernels.sums("gradient_sums", splits, gradient, x, moments, slope, h, w, c, border, splits, sums)
    kernels.means("gradient_means", sums, h * w, c, splits, means)
    made = torch.empty(x.shape, dtype=stored)
    kernels.over_maps("gradient", gradient, x, moments, means, slope, h, w, c, border, made)
    into = into.clone()
    kernels.over_maps("add_folded", gradient, border, h, w, c, into, other)
    return y, made, into


def by_kernels_on_chip(kernels, form, x, residual, into, gradient):
    n, c, h, w, border, other, slope = form
    stored, summed = ELEMENTS[kernels.element][:2]
    moments, y, made = torch.empty((n, 2, c), dtype=summed), torch.empty(gradient.shape, dtype=stored), torch.empty(x.shape, dtype=stored)
    kernels.on_chip("norm_on_chip", 256, h * w, x, EPSILON, residual, other, slope, h, w, c, border, moments, y)
    kernels.on_chip("norm_gradient_on_chip", 512, 2 * h * w, gradient, x, moments, slope, h, w, c, border, made)
    into = into.clone()
    kernels.over_maps("add_folded", gradient, border, h, w, c, into, other)
    return y, made, into


def by_pytorch(form, x, residual, into, gradient):
    border, other, slope = form[4:]
    x, residual, into, gradient = (map.double().clone() for map in (x, residual, into, gradient))
    x.requires_grad_(), residual.requires_grad_()
    norm = leaky_relu(instance_norm(x.movedim(3, 1), eps=EPSILON), slope)
    y = pad(norm + interior(residual, other).movedim(3, 1), [border] * 4, mode="reflect").movedim(1, 3)
    y.backward(gradient)
    return y.detach(), x.grad, into + residual.grad


def compare(library, element, form):
    stored, _, rounding, tolerance = ELEMENTS[element]
    n, c, h, w, border, other, _ = form
    random = torch.Generator().manual_seed(h * w)
    map = lambda edge: torch.randn(n, h + 2 * edge, w + 2 * edge, c, generator=random).to(stored)
    maps = map(0), map(other), map(other), map(border)
    kernels, expected = Kernels(library, element, c, n), by_pytorch(form, *maps)
    for way in (by_kernels, by_kernels_on_chip) if kernels.is_wide else (by_kernels,):
        for name, ours, theirs in zip(("values", "gradient of x", "gradient of the residual"), way(kernels, form, *maps), expected, strict=True):
            allowed = rounding * theirs.abs() + tolerance * theirs.abs().max()
            worst = ((ours.double() - theirs).abs() / allowed).max().item()
            assert worst <= 1, f"{way.__name__}, {stored}, {form}: {name} differ by {worst:.3g} times what is allowed"


if __name__ == "__main__":
    emulated = ctypes.CDLL(sys.argv[1])
    for number in range(len(ELEMENTS)):
        for one in FORMS:
            compare(emulated, number, one)
    print("every layer is near PyTorch's")
