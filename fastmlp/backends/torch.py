"""PyTorch on CPU, CUDA or Apple's MPS, through array-api-compat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from importlib import import_module
from threading import RLock
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from fastmlp.backends.devices import gpu_names, gpu_number
from fastmlp.backends.ladder import Ladder
from fastmlp.backends.memory import first_line, is_out_of_memory
from fastmlp.backends.record import (
    GPU_BLOCK_ROWS,
    Backend,
    BackendUnavailableError,
    Function,
    Rung,
    check_precision,
    python_scan,
)
from fastmlp.backends.torch_loop import cuda_capture, cuda_turns, torch_library
from fastmlp.core.arrays import Array, Namespace

TURNS = RLock()  # what PyTorch is told holds for all threads
OFFERED = {"cpu": ("bfloat16",), "cuda": ("tf32", "bfloat16")}


def create(device: str | None, precision: str = "float32") -> Backend:
    """Make the record for ``"cpu"``, ``"cuda:1"``, ``"gpu:1"``, ``"mps"``; None: a GPU of CUDA."""
    import torch

    chosen = _find_device(torch, device)
    on_cuda = chosen.type == "cuda"
    is_old = on_cuda and torch.cuda.get_device_capability(chosen) < (8, 0)
    offered = () if is_old else OFFERED.get(chosen.type, ())
    check_precision("torch", str(chosen), precision, *offered)
    compat = _namespace()

    # array-api-compat refuses numbers before 1.16 and copies them to the device since

    def maximum(x: Any, y: Any, /) -> Any:
        return torch.clamp(x, min=y) if isinstance(y, float) else compat.maximum(x, y)

    def minimum(x: Any, y: Any, /) -> Any:
        return torch.clamp(x, max=y) if isinstance(y, float) else compat.minimum(x, y)

    def take_along_axis(x: Any, indices: Any, /, *, axis: int) -> Any:
        return torch.take_along_dim(x, indices.long(), dim=axis)  # PyTorch has no other indices

    own = {"maximum": maximum, "minimum": minimum, "take_along_axis": take_along_axis}
    xp = cast(Namespace, SimpleNamespace(**{**vars(compat), **own}))

    def scoped(f: Function) -> Function:
        """Run f without PyTorch's own gradients, with products as asked for."""

        @wraps(f)
        def call(*args: Any) -> Any:
            # graphs are captured on the current device
            current = torch.cuda.device(chosen) if on_cuda else nullcontext()
            with torch.no_grad(), current, _products(torch, chosen.type, precision):
                return f(*args)

        return call

    def jit(f: Function) -> Function:
        return ladder.with_room(scoped(f)) if on_cuda else scoped(f)

    def to_device(host: Any, dtype: str) -> Array:
        # a copy: tensors cannot be read-only, NumPy arrays can
        return cast(Array, torch.from_numpy(np.array(host, dtype=dtype)).to(chosen))

    def to_host(tensor: Any) -> Any:
        host = tensor.detach().cpu()
        # a product in bfloat16 that nothing was added to; NumPy has no such dtype
        return np.array((host.float() if host.dtype == torch.bfloat16 else host).numpy())

    def sync(tree: Any) -> None:
        if on_cuda:
            torch.cuda.synchronize(chosen)
        elif chosen.type == "mps":
            torch.mps.synchronize()

    ladder = Ladder(xp, torch_library(torch, cuda_capture(torch), cuda_turns(torch)))
    return Backend(
        name="torch",
        device=str(chosen),
        precision=precision,
        xp=xp,
        jit=jit,
        scan=ladder.scan if on_cuda else python_scan(xp),
        rung=(lambda: ladder.rung) if on_cuda else lambda: Rung("", ""),
        to_device=ladder.with_room(to_device) if on_cuda else to_device,
        to_host=to_host,
        sync=sync,
        block_rows=GPU_BLOCK_ROWS if on_cuda else 1024,
        ahead=0 if chosen.type == "cpu" else 1,
    )


@contextmanager
def _products(torch: Any, kind: str, precision: str) -> Iterator[None]:
    """Multiply float32 so, whatever the process has set for others, and set it back."""
    if precision == "bfloat16":
        with torch.autocast(kind, dtype=torch.bfloat16, cache_enabled=False):
            yield
        return
    if kind != "cuda":
        yield
        return
    products = torch.backends.cuda.matmul
    wanted: str | bool
    # PyTorch 2.9 has new names, and refuses a mixture
    is_tf32 = precision == "tf32"
    name, wanted = "fp32_precision", "tf32" if is_tf32 else "ieee"
    if not hasattr(products, name):
        name, wanted = "allow_tf32", is_tf32
    with TURNS:
        before = getattr(products, name)
        setattr(products, name, wanted)
        try:
            yield
        finally:
            setattr(products, name, before)


def _namespace() -> Any:
    try:
        return import_module("array_api_compat.torch")
    except ImportError:  # scikit-learn carries a copy
        return import_module("sklearn.externals.array_api_compat.torch")


def _find_device(torch: Any, device: str | None) -> Any:
    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    number = gpu_number(name)
    if number is not None:
        name = f"cuda:{number}"
    try:
        if name.partition(":")[0] == "meta" or name.removeprefix("cpu") not in (name, "", ":0"):
            raise RuntimeError("there is one CPU" if name[:3] == "cpu" else "it holds no numbers")
        return torch.zeros(1, device=name).device  # "mps" becomes "mps:0"
    except (RuntimeError, AssertionError) as error:
        said = first_line(error)
        if is_out_of_memory(error):
            raise BackendUnavailableError(
                "torch",
                f"device {name!r} has no memory left ({said})",
                "nvidia-smi shows who has it: end that, or name another device",
            ) from None
        count = torch.cuda.device_count()
        gpus = gpu_names(count) if count else f"'cuda' with a GPU and {_build(torch)}"
        raise BackendUnavailableError(
            "torch",
            f"device={device!r} cannot be used here ({said}), expected 'cpu', {gpus}, or 'mps'",
            "Leave device out, or install the PyTorch build for it",
        ) from None


def _build(torch: Any) -> str:
    return "its driver" if torch.version.cuda else "a PyTorch that is built for CUDA"
