"""Which backend is taken, which are there, and what is said when one is not."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastmlp.backends import (
    BackendUnavailableError,
    array_backend,
    backend_names,
    backend_status,
    get_backend,
    registry,
    resolve_backend,
)

XP: Any = np
pytestmark = pytest.mark.usefixtures("fresh_registry")


# --- by name ---


def test_name_gives_a_record_and_the_same_one_again() -> None:
    numpy = get_backend("numpy")
    assert (numpy.name, numpy.device) == ("numpy", "cpu")
    assert numpy.xp.exp is XP.exp


@pytest.mark.parametrize("name", ["numpy", "jax", "torch"])
def test_every_way_to_ask_for_the_same_gives_the_same_record(name: str) -> None:
    """Programs are compiled per record: a second one would compile them again."""
    if name != "numpy":
        pytest.importorskip(name)
    first = get_backend(name)
    assert get_backend(name, None) is first
    assert get_backend(name, device=None) is first
    assert get_backend(name, first.device) is first
    assert resolve_backend(name) is first
    assert resolve_backend(name, device=first.device) is first
    assert pickle.loads(pickle.dumps(first)) is first
    assert copy.deepcopy(first) is first


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"backend='jaxx' is unknown, expected one of \['numpy', 'jax', 'cupy', 't"
    ):
        get_backend("jaxx")


@pytest.mark.parametrize("name", ["jax", "cupy", "torch"])
def test_missing_library_is_named_with_its_install_hint(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        BackendUnavailableError,
        match=rf"backend '{name}' is not available: not installed\. pip install 'fastmlp\[{name}",
    ):
        get_backend(name)
    status = backend_status(name)
    assert status[:5] == (name, False, "", "", "not installed")
    assert status.hint.startswith(f"pip install 'fastmlp[{name}")


def test_library_that_lacks_a_part_of_its_own_is_not_called_uninstalled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch")
    for namespace in ("array_api_compat", "sklearn.externals.array_api_compat"):
        monkeypatch.setitem(sys.modules, f"{namespace}.torch", None)
    status = backend_status("torch")
    assert not status.available
    assert status.reason.startswith("cannot be imported (")
    assert "array_api_compat" in status.reason


def test_torch_takes_the_namespace_inside_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn.externals.array_api_compat.torch")
    monkeypatch.setitem(sys.modules, "array_api_compat.torch", None)
    xp: Any = get_backend("torch").xp
    assert xp.__name__ == "sklearn.externals.array_api_compat.torch"


@pytest.mark.parametrize(
    ("name", "device", "message"),
    [
        ("numpy", "gpu", r"device='gpu' is not one of its devices, expected 'cpu'\. Leave device"),
        ("jax", "tpu", r"device='tpu' is not one of its devices here, expected one of \['cpu'"),
        (
            "jax",
            "cpu:99",
            r"device='cpu:99' is not .*expected .*: it sees \w+ of them",
        ),
        ("jax", "gpu", r"device='gpu' is not .*: pip install 'fastmlp\[jax-cuda13\]'"),
        ("numpy", "gpu", r".* or name a backend that has others: 'jax', 'cupy' or 'torch'"),
        ("torch", "cpu:3", r"device='cpu:3' cannot be used here \(there is one CPU\), expected"),
        ("torch", "meta", r"device='meta' cannot be used here \(it holds no numbers\), expected"),
        ("jax", "cpu:one", r"device='cpu:one' is not one of its devices here"),
        ("torch", "mps:9", r"device='mps:9' cannot be used here \(.*\), expected 'cpu', 'cuda'"),
        ("torch", "gpu", r"device='gpu' cannot be used here \(.*\), expected 'cpu', 'cuda'"),
    ],
)
def test_device_that_is_not_there(name: str, device: str, message: str) -> None:
    if name != "numpy":
        pytest.importorskip(name)
    if device == "gpu" and name != "numpy" and backend_status(name, device).available:
        pytest.skip("there is a GPU")
    with pytest.raises(BackendUnavailableError, match=rf"backend '{name}' is not .*: {message}"):
        get_backend(name, device)
    assert not backend_status(name, device).available


@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_a_device_that_is_no_name(name: str) -> None:
    device: Any = 1
    with pytest.raises(TypeError, match="device=1 is a int, expected a name such as 'cpu'"):
        get_backend(name, device)


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_a_gpu_that_is_left_alone_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(name)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if backend_status(name).device != "cpu":
        pytest.skip("there is a GPU")
    monkeypatch.setattr(registry, "which", lambda _: "/usr/bin/nvidia-smi")
    assert "There is an NVIDIA GPU, which this" in backend_status(name).hint
    assert backend_status("numpy").hint == ""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert backend_status(name).hint == ""


def test_torch_takes_a_gpu_where_it_sees_one(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from fastmlp.backends.torch import _find_device

    tried: list[str] = []

    def zeros(n: int, device: str) -> Any:
        tried.append(device)
        return torch.empty(n)

    monkeypatch.setattr(torch, "zeros", zeros)
    for is_there, names in ((True, ["cuda:0"]), (False, ["cpu"])):
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=is_there: found)
        _find_device(torch, None)
        assert tried == names
        tried.clear()
    for device in ("cuda:1", "gpu:1"):
        _find_device(torch, device)
    assert tried == ["cuda:1", "cuda:1"]


def test_a_full_gpu_of_torch_is_not_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")

    def zeros(n: int, device: str) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.\nmore")

    monkeypatch.setattr(torch, "zeros", zeros)
    with pytest.raises(
        BackendUnavailableError, match=r"device 'cuda:0' has no memory left \(CUDA out of memory"
    ):
        get_backend("torch", "gpu")


def test_a_tensor_without_numbers_is_told() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"Z is a tensor on device 'meta', .* no numbers"):
        array_backend(torch.zeros((2, 2), device="meta"), "Z")


def test_an_array_on_two_devices_is_told() -> None:
    pytest.importorskip("jax")
    code = (
        "import jax, numpy as np\n"
        "from fastmlp import MLPClassifier\n"
        "mesh = jax.sharding.Mesh(np.asarray(jax.devices()), ('n',))\n"
        "where = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec('n'))\n"
        "MLPClassifier().fit(jax.device_put(np.eye(4), where), [0, 1, 0, 1])\n"
    )
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | flags, capture_output=True, text=True
    )
    assert "ValueError: X lies on 2 devices of JAX, ['cpu:0', 'cpu:1'], expected" in done.stderr


def test_two_names_of_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    record = replace(get_backend("numpy"), device="cuda:1")
    assert resolve_backend(record, device="gpu:1") is record
    with pytest.raises(ValueError, match="device='gpu' contradicts"):
        resolve_backend(record, device="gpu")


def test_negative_device_number_is_refused() -> None:
    pytest.importorskip("jax")
    with pytest.raises(BackendUnavailableError, match="device='cpu:-1' is not one of its devices"):
        get_backend("jax", "cpu:-1")


# --- left out ---


def test_host_data_takes_numpy() -> None:
    for X in (None, [[1.0]], np.ones((2, 2)), "text"):
        assert array_backend(X) is None
        assert resolve_backend(None, X) is resolve_backend("auto", X) is get_backend("numpy")


def test_environment_decides_for_host_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTMLP_BACKEND", "jaxx")
    with pytest.raises(ValueError, match="FASTMLP_BACKEND='jaxx' names no backend"):
        resolve_backend(None, np.ones(2))
    assert resolve_backend("numpy").name == "numpy", "a name counts more"
    monkeypatch.setenv("FASTMLP_BACKEND", "")
    assert resolve_backend(None).name == "numpy"


@pytest.mark.parametrize("choice", [None, "auto"])
def test_jax_array_decides_by_itself(choice: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    jax = pytest.importorskip("jax")
    monkeypatch.setenv("FASTMLP_BACKEND", "numpy")
    X = jax.numpy.ones((2, 2))
    found = resolve_backend(choice, X)
    assert found.name == "jax"
    assert found is array_backend(X) is get_backend("jax")
    assert resolve_backend("numpy", X).name == "numpy", "a name counts more"


def test_torch_tensor_decides_by_itself() -> None:
    torch = pytest.importorskip("torch")
    X = torch.ones((2, 2))
    assert resolve_backend(None, X).name == "torch"
    assert resolve_backend(None, X).device == str(X.device)
    assert resolve_backend(None, X, device="cpu").device == "cpu"


def test_environment_names_jax_for_host_data(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax")
    monkeypatch.setenv("FASTMLP_BACKEND", "jax")
    assert resolve_backend(None, np.ones(2)).name == "jax"


# --- a record ---


def test_record_is_taken_as_it_is() -> None:
    numpy = get_backend("numpy")
    assert resolve_backend(numpy) is numpy
    assert resolve_backend(numpy, device="cpu") is numpy


def test_contradicting_device_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"device='cuda' contradicts the given backend record, which runs on 'cpu'\. Leave",
    ):
        resolve_backend(get_backend("numpy"), device="cuda")


@pytest.mark.parametrize("wrong", [3, np, ["numpy"]])
def test_backend_must_be_a_name_or_a_record(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"backend=.* is a \w+, expected a name out of .* record"):
        resolve_backend(wrong)


def test_error_crosses_processes() -> None:
    error = BackendUnavailableError("toy", "broken", "Mend it")
    again = pickle.loads(pickle.dumps(error))
    assert (again.name, again.reason, again.hint) == ("toy", "broken", "Mend it")
    assert str(again) == str(error) == "backend 'toy' is not available: broken. Mend it"


# --- which are there ---


def test_status_of_every_backend_raises_nothing() -> None:
    assert backend_names()[:4] == ("numpy", "jax", "cupy", "torch")
    for name in backend_names():
        status = backend_status(name)
        assert status.name == name
        if status.available:
            assert status.device
            assert status.version
            assert (status.reason, status.hint) == ("", "")
        else:
            assert status.reason
            assert status.hint
    numpy = backend_status("numpy")
    assert (numpy.available, numpy.device, numpy.version) == (True, "cpu", np.__version__)
