#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.5.1"]
# ///
"""Every check of the project, each in an environment of its own: ``nox`` runs the fast ones."""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["lint", "types", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
LOWEST = ["array-api-compat==1.12", "numpy==2.1.*", "rich==13.*", "scikit-learn==1.7.*"]
LOWEST += ["onnx==1.19.*", "safetensors==0.5.*"]


def groups(*names: str) -> list[str]:
    """Requirements of the dependency groups, for a pip that does not know --group yet."""
    return list(nox.project.dependency_groups(PROJECT, *names))


@nox.session
def lint(session: nox.Session) -> None:
    """Style and format: ``nox -s lint``, mend with ``nox -s lint -- --fix``."""
    session.install(*groups("lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", *([] if "--fix" in session.posargs else ["--check"]))


@nox.session
def types(session: nox.Session) -> None:
    """Types: ``nox -s types``."""
    session.install(".[report]", *groups("types"))
    session.run("mypy", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests of a machine without a GPU: ``nox -s tests -- -k gradients``."""
    session.install("-e", ".[all]", *groups("test"))
    session.run("pytest", "-n", "2", "--dist", "loadfile", *session.posargs)


@nox.session
def tests_numpy(session: nox.Session) -> None:
    """Tests with the core dependencies alone: ``nox -s tests_numpy``."""
    session.install("-e", ".", *groups("test"))
    session.run("pytest", *session.posargs)


@nox.session
def tests_jax(session: nox.Session) -> None:
    """Tests with JAX, on its GPU where there is one: ``nox -s tests_jax``."""
    session.install("-e", ".[jax,safetensors]", *groups("test"))
    session.run("pytest", *session.posargs)


@nox.session
def tests_torch(session: nox.Session) -> None:
    """Tests with PyTorch: ``nox -s tests_torch``; TORCH names another build than the default."""
    session.install("-e", ".[safetensors]", os.environ.get("TORCH", "torch"), *groups("test"))
    session.run("pytest", *session.posargs)


@nox.session
def tests_cupy(session: nox.Session) -> None:
    """Tests with CuPy, skipped without a GPU: ``nox -s tests_cupy``; CUPY=cupy12 for CUDA 12."""
    if not Path("/dev/nvidia0").exists():
        session.skip("no NVIDIA GPU on this machine")
    session.install("-e", f".[{os.environ.get('CUPY', 'cupy13')},safetensors]", *groups("test"))
    session.run("pytest", *session.posargs)


@nox.session
def cupy_names(session: nox.Session) -> None:
    """Check against the real CuPy what can be, without a GPU: ``nox -s cupy_names``."""
    session.install("-e", ".", os.environ.get("CUPY", "cupy-cuda12x>=14"), *groups("test"))
    session.run("python", "-c", "import cupy")  # else all is skipped
    session.run("fastmlp", "backends")
    session.run("pytest", "tests/test_cupy_names.py", "tests/test_backend_cupy.py")


@nox.session
def tests_reference(session: nox.Session) -> None:
    """Tests against Keras on TensorFlow: ``nox -s tests_reference``."""
    session.install("-e", ".[tensorflow]", *groups("test"))
    session.run("pytest", "tests/test_reference.py", *session.posargs)


@nox.session
def minimums(session: nox.Session) -> None:
    """Tests with the oldest libraries that are promised to work: ``nox -s minimums``."""
    session.install("-e", ".", *LOWEST, "jax==0.8.*", *groups("test"))
    session.run("pytest", *session.posargs)


@nox.session
def compare(session: nox.Session) -> None:
    """Run the main job: ``nox -s compare -- --dataset digits --epochs 20``."""
    session.install(".[all]")
    session.run("fastmlp", "compare", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build: ``nox -s docs``."""
    session.install("-e", ".[energy,report]", *groups("docs", "bench"))
    session.run("sphinx-build", "-W", "-b", "html", "docs", "docs/_build", *session.posargs)


@nox.session
def gallery(session: nox.Session) -> None:
    """Draw the pictures of docs/gallery: ``nox -s gallery``; FASTMLP_DATA names MNIST's folder."""
    session.install("-e", ".[report]")
    session.run("python", "docs/gallery", *session.posargs)


def suite(session: nox.Session, *names: str) -> None:
    """Run suites on all backends, or on those of the first argument: ``-- numpy,jax``."""
    session.install("-e", ".[all]", os.environ.get("TORCH", "torch"), *groups("bench", "test"))
    backends = ("--backends", session.posargs[0]) if session.posargs else ()
    folder = Path(session.create_tmp())
    session.run(
        *("fastmlp", "bench", "run", "--suites", ",".join(names)),
        *("--output-dir", str(folder), *backends, *session.posargs[1:]),
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Run all suites: ``nox -s bench -- numpy,jax --profile publish``; TORCH as for peers."""
    suite(session, "speed", "accuracy", "emissions")


@nox.session
def bench_speed(session: nox.Session) -> None:
    """Run the suite of speed: ``nox -s bench_speed -- numpy``."""
    suite(session, "speed")


@nox.session
def bench_accuracy(session: nox.Session) -> None:
    """Run the suite of accuracy: ``nox -s bench_accuracy -- numpy``."""
    suite(session, "accuracy")


@nox.session
def bench_emissions(session: nox.Session) -> None:
    """Run the suite of emissions: ``nox -s bench_emissions -- numpy``."""
    suite(session, "emissions")


@nox.session
def bench_limits(session: nox.Session) -> None:
    """Measure what must not cost more than it does: ``nox -s bench_limits``."""
    session.install("-e", ".[all]", *groups("bench", "test"))
    files = sorted(str(path) for path in Path("bench").glob("test_*.py"))
    suites = ("speed", "accuracy", "emissions")
    limits = [path for path in files if not path.endswith(tuple(f"test_{s}.py" for s in suites))]
    session.run("pytest", *limits, *session.posargs)


@nox.session
def peers(session: nox.Session) -> None:
    """Compare speed with everybody's: ``nox -s peers -- --quick``; TORCH names another build."""
    session.install("-e", ".[all]", os.environ.get("TORCH", "torch"), *groups("peers"))
    session.run("python", "-m", "bench.peers", *session.posargs)


@nox.session
def cold(session: nox.Session) -> None:
    """Time fresh processes, import to exit: ``nox -s cold -- --runs 3``; TORCH as for peers."""
    session.install("-e", ".[all]", os.environ.get("TORCH", "torch"), *groups("peers"))
    session.run("python", "-m", "bench.cold", *session.posargs)


@nox.session
def page(session: nox.Session) -> None:
    """Write docs/performance.md and suites.md from bench/results; ``-- --check`` compares."""
    session.install("-e", ".[report]", *groups("bench"))
    session.run("python", "-m", "bench.page", *session.posargs)
    session.run("python", "-m", "bench.suites.page", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build wheel and source archive, and try the wheel alone: ``nox -s build``."""
    session.install("build")
    dist = Path(session.create_tmp()) / "dist"
    session.run("python", "-m", "build", "--outdir", str(dist))
    (wheel,) = dist.glob("*.whl")
    session.install(f"{wheel}[report]")
    with session.chdir(session.create_tmp()):
        session.run("fastmlp", "backends")
        session.run("fastmlp", "compare", "--backends", "numpy", "--epochs", "2", "--grid", "WORLD")


if __name__ == "__main__":
    nox.main()
