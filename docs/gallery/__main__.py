"""Draw the pictures of the gallery: ``python docs/gallery``, or ``nox -s gallery``.

With FASTMLP_DATA set to a folder with MNIST, its picture is drawn, too. Each picture carries the
SHA-256 of the script that drew it, by which a test sees that it is not older than the script.
"""

from __future__ import annotations

import hashlib
import io
import os
import runpy
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "images"


def draw() -> None:
    data_dir = os.environ.get("FASTMLP_DATA")
    for script in sorted(HERE.glob("plot_*.py")):
        main = runpy.run_path(str(script))["main"]
        name = script.stem.removeprefix("plot_")
        save(main(), script, IMAGES / f"gallery-{name}.png")
        if name == "weights" and data_dir:
            save(main(data_dir=data_dir), script, IMAGES / "gallery-weights-mnist.png")


def save(fig: Any, script: Path, path: Path) -> None:
    """Write a PNG of 256 colours, which are enough and half of the bytes."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    whole = io.BytesIO()
    fig.savefig(whole, dpi=100)
    made_by = PngInfo()
    made_by.add_text("script", script.name)
    made_by.add_text("sha256", digest(script))
    Image.open(whole).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(
        path, optimize=True, pnginfo=made_by
    )
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def digest(script: Path) -> str:
    return hashlib.sha256(script.read_text(encoding="utf-8").encode()).hexdigest()


if __name__ == "__main__":
    draw()
