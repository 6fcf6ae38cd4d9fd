"""``python -m bench.suites.first_call NAME import|first-call``: start, do this much, and end."""

from __future__ import annotations

import sys

from bench.gpu.problems import Images, generated_images
from bench.suites.contenders import find
from bench.suites.problems import BATCH_SIZE, make_problem
from fastmlp.compare.config import cores
from fastmlp.training import epoch_order


def main(name: str, stage: str) -> None:
    """Make the contender, which imports its library, and train it on one batch."""
    images = Images("generated", *generated_images(BATCH_SIZE, 0), None, None)
    contender = find(name).make(make_problem(images, BATCH_SIZE, seed=0, threads=cores()))
    if stage == "first-call":
        contender.run([epoch_order(BATCH_SIZE, 0, 1)])


if __name__ == "__main__":
    main(*sys.argv[1:])
