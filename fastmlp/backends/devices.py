"""Names of devices: "cuda:1" and "gpu:1" are the same one."""

from __future__ import annotations

GPU_NAMES = ("cuda", "gpu")


def gpu_number(device: str) -> int | None:
    """Return the number of the GPU that a name means, or None.

    Examples
    --------
    >>> [gpu_number(name) for name in ("cuda", "gpu:1", "cuda:-1", "cuda:", "cpu")]
    [0, 1, None, None, None]
    """
    kind, colon, index = device.partition(":")
    if kind not in GPU_NAMES or (colon and not (index.isascii() and index.isdecimal())):
        return None
    return int(index or 0)


def same_device(one: str, other: str) -> bool:
    """Tell whether two names mean one device.

    Examples
    --------
    >>> same_device("gpu", "cuda:0"), same_device("cpu", "cuda:0")
    (True, False)
    """
    number = gpu_number(one)
    return one == other or (number is not None and number == gpu_number(other))


def gpu_names(count: int) -> str:
    """Say how many GPUs there are, and what they are called.

    Examples
    --------
    >>> gpu_names(2)
    "'cuda:0' to 'cuda:1' of the 2 devices here"
    """
    return f"'cuda:0' to 'cuda:{count - 1}' of the {count} devices here" if count > 1 else "'cuda'"
