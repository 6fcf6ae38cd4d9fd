"""Which backends there are, by name, and which of them this machine can run."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from fastmlp.backends.devices import same_device
from fastmlp.backends.owners import find_owner
from fastmlp.backends.record import PRECISIONS, Backend, BackendUnavailableError
from fastmlp.backends.standard import standard_backend

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint  # costs more than the rest of fastmlp

ENVIRONMENT_VARIABLE = "FASTMLP_BACKEND"
ENTRY_POINT_GROUP = "fastmlp.backends"


class Source(NamedTuple):
    """Where a backend's factory is, the library it needs, and how to get that."""

    load: Callable[[], Callable[[str | None, str], Backend]]
    library: str
    hint: str


def _built_in(name: str, hint: str) -> Source:
    module = f"fastmlp.backends.{name}"
    return Source(
        lambda: cast(Callable[[str | None, str], Backend], import_module(module).create),
        name,
        hint,
    )


# A static table, so that a checkout that was never installed has them too.
BUILT_IN = {
    "numpy": _built_in("numpy", "pip install numpy"),
    "jax": _built_in(
        "jax",
        "pip install 'fastmlp[jax]', with an NVIDIA GPU 'fastmlp[jax-cuda13]' or [jax-cuda12]",
    ),
    "cupy": _built_in(
        "cupy", "pip install 'fastmlp[cupy13]' (CUDA 13) or [cupy12] (CUDA 12), with an NVIDIA GPU"
    ),
    "torch": _built_in("torch", "pip install 'fastmlp[torch]'"),
}
UNUSED_GPU = {
    "jax": "There is an NVIDIA GPU, which this JAX does not see: pip install 'fastmlp[jax-cuda13]' "
    "(CUDA 13) or [jax-cuda12] (CUDA 12)",
    "torch": "There is an NVIDIA GPU, which this PyTorch does not see: install its build for CUDA",
}


class BackendStatus(NamedTuple):
    """What this machine can run, or why not."""

    name: str
    available: bool
    device: str
    version: str
    reason: str
    hint: str  # what to do about it, or what would make more of this machine


def backend_names() -> tuple[str, ...]:
    """Names of all backends: the built-in ones, then those of installed plug-ins.

    Examples
    --------
    >>> backend_names()[:4]
    ('numpy', 'jax', 'cupy', 'torch')
    """
    plugins = sorted(point.name for point in _plugins())
    return (*BUILT_IN, *(name for name in plugins if name not in BUILT_IN))


def get_backend(name: str, device: str | None = None, precision: str = "float32") -> Backend:
    """Make the backend of that name; the same record for the same arguments.

    Parameters
    ----------
    name : str
        One of `backend_names`.
    device : str, optional
        "cpu", "gpu", "cuda:1", ...; left out, a GPU that the library can use, else the CPU.
        "gpu:1" and "cuda:1" are the same.
    precision : {"float32", "tf32", "bfloat16"}
        How float32 is multiplied: in full on every backend, unless less is asked for and the device
        can do it. Sums are float32, and so is all that is no product.

    Raises
    ------
    ValueError, TypeError
        The name or the precision is unknown, or the device is no name.
    BackendUnavailableError
        The library is not installed, or has no such device here, or the device no such precision.

    Examples
    --------
    >>> get_backend("numpy").device
    'cpu'
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r} is unknown, expected one of {list(PRECISIONS)}.")
    if not isinstance(device, str | None):
        raise TypeError(
            f"device={device!r} is a {type(device).__name__}, expected a name such as 'cpu' or "
            "'cuda:1', or None."
        )
    return _make(name, device, precision)


@cache
def _make(name: str, device: str | None, precision: str) -> Backend:
    source = _source(name)
    try:
        backend = source.load()(device, precision)
        if not isinstance(backend, Backend):
            raise TypeError(f"its factory returned {backend!r}, expected a Backend")
        if backend.precision != precision:
            raise TypeError(f"its factory ignored precision={precision!r}")
    except BackendUnavailableError:
        raise
    except Exception as error:  # of a library or a plug-in: it must not hide the other backends
        missing = isinstance(error, ModuleNotFoundError) and error.name == source.library
        what = "imported" if isinstance(error, ImportError | AttributeError) else "made"
        reason = "not installed" if missing else f"cannot be {what} ({error})"
        raise BackendUnavailableError(name, reason, source.hint) from error
    # one record for None, "cpu" and "cpu:0": programs are compiled per record
    return backend if device == backend.device else _make(name, backend.device, precision)


def resolve_backend(
    backend: str | Backend | None,
    X: Any = None,
    device: str | None = None,
    precision: str | None = None,
) -> Backend:
    """Return the backend that was asked for, or the one that X decides for.

    Parameters
    ----------
    backend : str, Backend or None
        None or "auto": an array X of JAX, CuPy, PyTorch or another library that follows the array
        API standard decides by itself; host data takes the environment variable FASTMLP_BACKEND,
        else NumPy.
    X : array, optional
    device : str, optional
    precision : str, optional
        As for `get_backend`.

    Raises
    ------
    TypeError
        The backend is neither a name nor a record.
    ValueError, BackendUnavailableError
        As `get_backend`.

    Examples
    --------
    >>> resolve_backend("numpy").name
    'numpy'
    """
    if isinstance(backend, Backend):
        if device is not None and not same_device(device, backend.device):
            raise ValueError(
                f"device={device!r} contradicts the given backend record, which runs on "
                f"{backend.device!r}. Leave device out, or give the backend by name."
            )
        if precision is not None and precision != backend.precision:
            raise ValueError(
                f"precision={precision!r} contradicts the given backend record, which multiplies "
                f"in {backend.precision!r}. Leave precision out, or give the backend by name."
            )
        return backend
    if backend is None or backend == "auto":
        owner = array_backend(X)
        if owner is not None and owner.name not in BUILT_IN:
            return resolve_backend(owner, None, device, precision)
        if owner is not None and device is None:
            return get_backend(owner.name, owner.device, precision or "float32")
        backend = owner.name if owner else _environment_choice() or "numpy"
    if not isinstance(backend, str):
        raise TypeError(
            f"backend={backend!r} is a {type(backend).__name__}, expected a name out of "
            f"{backend_names()} or a Backend record."
        )
    return get_backend(backend, device, precision or "float32")


def _environment_choice() -> str:
    name = os.environ.get(ENVIRONMENT_VARIABLE, "")
    if name and name not in backend_names():
        raise ValueError(
            f"the environment variable {ENVIRONMENT_VARIABLE}={name!r} names no backend, expected "
            f"one of {list(backend_names())}, or nothing."
        )
    return name


def array_backend(X: Any, name: str = "X") -> Backend | None:
    """Return the backend that X is an array of, on the device it lies on; None for host data.

    ``name`` is what an error calls it: of a sparse tensor, or of an array that JAX traces.

    Examples
    --------
    >>> array_backend([1.0, 2.0]) is None
    True
    """
    owner = find_owner(X, name)
    return standard_backend(X) if owner is None else get_backend(*owner)


def backend_status(name: str, device: str | None = None) -> BackendStatus:
    """Say whether this machine can run a backend, and why not. Tries it, and raises nothing."""
    try:
        backend = get_backend(name, device)
    except BackendUnavailableError as error:
        return BackendStatus(name, False, "", "", error.reason, error.hint)
    hint = UNUSED_GPU.get(name, "") if device is None and _leaves_gpu(backend) else ""
    return BackendStatus(name, True, backend.device, _version(_source(name).library), "", hint)


def _leaves_gpu(backend: Backend) -> bool:
    """Tell whether this machine has an NVIDIA GPU that the backend does not see."""
    has_gpu = Path("/dev/nvidia0").exists() or which("nvidia-smi") is not None
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return backend.device == "cpu" and has_gpu and not hidden


def _version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:  # cupy is distributed as cupy-cuda13x
        return str(getattr(import_module(library), "__version__", ""))


def _plugins() -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points

    return tuple(entry_points(group=ENTRY_POINT_GROUP))


def _source(name: str) -> Source:
    if name in BUILT_IN:
        return BUILT_IN[name]
    for point in _plugins():
        if point.name == name:
            package = point.dist.name if point.dist else point.value
            return Source(point.load, package, f"Reinstall or remove the package {package!r}")
    raise ValueError(
        f"backend={name!r} is unknown, expected one of {list(backend_names())}. "
        f"A package with an entry point in {ENTRY_POINT_GROUP!r} can add others."
    )
