"""Compiles CUDA kernels with NVRTC, and prints what ptxas says of each: one JSON object a line.

    compile.py FOLDER_OF_LIBNVRTC SOURCE...
"""

import ctypes
import json
import re
import sys
from pathlib import Path

ELEMENTS = ["bf16", "f32", "f64"]
ARCHITECTURES = ["sm_80", "sm_90", "sm_120"]


def compiled(nvrtc, source, options):
    """What the compiler says; ends with it where it fails."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"layers.cu", 0, None, None)
    code = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*map(str.encode, options)))
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    if code:
        sys.exit(f"{options}: NVRTC ended with {code}\n{log.value.decode()}")
    return log.value.decode()


def kernels(log):
    """Registers, bytes of shared memory and bytes spilled, by kernel."""
    for block in log.split("Compiling entry function")[1:]:
        number = lambda pattern: int((re.search(pattern, block) or [0, 0])[1])
        yield {"kernel": re.search(r"'(\w+)'", block)[1], "registers": number(r"Used (\d+) registers"),
               "shared": number(r"(\d+) bytes smem"), "spilled": number(r"(\d+) bytes spill stores")}


def main():
    nvrtc = ctypes.CDLL(str(Path(sys.argv[1]) / "libnvrtc.so.13"))
    source = b"".join(Path(file).read_bytes() for file in sys.argv[2:])
    for architecture in ARCHITECTURES:
        for number, element in enumerate(ELEMENTS):
            options = [f"--gpu-architecture={architecture}", "--std=c++17", f"-DGEOLEARN_ELEMENT={number}", "--ptxas-options=-v"]
            for kernel in kernels(compiled(nvrtc, source, options)):
                print(json.dumps({"architecture": architecture, "element": element, **kernel}))


main()
