"""Draw the pictures that figures are compared with again: python tests/figures/make_baseline.py."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from builders.pictures import BASELINE, drawings  # noqa: E402

if __name__ == "__main__":
    BASELINE.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        for name, pixels in drawings(TESTS.parent, Path(folder)).items():
            Image.fromarray(pixels).save(BASELINE / f"{name}.png", optimize=True)
