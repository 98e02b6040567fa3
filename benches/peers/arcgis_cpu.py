"""Makes arcgis.learn 2.4.4 run without a GPU and without ArcGIS: call `use()` before importing it."""

import sys
import tempfile
from pathlib import Path


def use():
    import numpy._core  # noqa: F401  arcgis's unpickling looks for it
    import torch

    torch.set_num_threads(1)
    # Imported by arcgis, but not used here.
    stubs = Path(tempfile.mkdtemp())
    (stubs / "arcpy.py").touch()
    (stubs / "spacy").mkdir()
    (stubs / "spacy" / "__init__.py").touch()
    (stubs / "spacy" / "symbols.py").write_text("ORTH = 65\n")
    sys.path.append(str(stubs))
    import arcgis.learn
    import fastai.vision.transform
    from fastai.basic_train import Learner

    # torch.solve, since removed, took the right-hand side first and returned a pair.
    fastai.vision.transform._solve_func = lambda b, a: (torch.linalg.solve(a, b),)
    for name in ("fit", "fit_one_cycle", "lr_find"):
        setattr(Learner, name, without_mixed_precision(getattr(Learner, name)))
    return arcgis.learn


def without_mixed_precision(method):
    """Drops a keyword argument that arcgis passes and fastai 1.0.61 does not accept."""

    def called(*args, mixed_precision=None, **named):
        return method(*args, **named)

    return called
