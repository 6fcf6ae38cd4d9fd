"""What stands in for NVIDIA's library where there is no GPU; nothing that it says was measured."""

from __future__ import annotations

from typing import Any


class FakeNvml:
    """Fifty watts, counted every tenth of a second of a clock of its own."""

    def __init__(self, n_devices: int = 2, codes: dict[str, int] | None = None) -> None:
        self.n_devices, self.codes, self.now_s = n_devices, codes or {}, 0.0
        self.asked: list[str] = []
        self.uuids, self.named = [b"GPU-1"], list[bytes]()

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("nvml"):
            raise AttributeError(name)

        def answer(*arguments: Any) -> int:
            self.asked.append(name)
            if name == "nvmlDeviceGetCount_v2":
                arguments[0]._obj.value = self.n_devices
            elif name == "nvmlDeviceGetTotalEnergyConsumption":
                # nearly on a step is on it: a sum of floats may lie a rounding below
                arguments[1]._obj.value = 5000 * int(self.now_s * 10 + 1e-6)
            elif name == "nvmlDeviceGetPowerUsage":
                arguments[1]._obj.value = 50_000
            elif name == "nvmlDeviceGetEnforcedPowerLimit":
                arguments[1]._obj.value = 70_000
            elif name == "nvmlSystemGetDriverVersion":
                arguments[0].value = b"550.54"
            elif name == "nvmlDeviceGetHandleByUUID":
                self.named.append(arguments[0])
                if arguments[0] not in self.uuids:
                    return 6
            return self.codes.get(name, 0)

        return answer
