"""The source that needs nothing: processor time at the power of a thread, and no memory."""

from __future__ import annotations

from fastmlp.energy.models import W_PER_THREAD, Usage, cpu_time_j
from fastmlp.energy.parts import Finding, Part, Span, absent


class CpuModel:
    """Processor time times the power of a thread, `cpu_time_j`.

    Parameters
    ----------
    scope
        "process": the time of this process and of those of its children that it has waited for;
        "machine": that of all cores, which only Linux tells.
    threads
        Logical processors of the machine.
    tdp_w
        Power of all of them together in watts; None = 4 W each, as CodeCarbon has it for a
        processor that it does not know.
    """

    components: tuple[str, ...] = ("cpu",)

    def __init__(self, scope: str, threads: int, tdp_w: float | None) -> None:
        self._scope, self._threads = scope, threads
        self._tdp_w = W_PER_THREAD * threads if tdp_w is None else tdp_w

    def open(self) -> None:
        """Nothing to begin: the window reads the clocks."""

    def close(self, span: Span) -> Finding:
        """Turn the time of the window into joules."""
        parts = {name: absent("this model has none") for name in ("gpu", "ram")}
        return Finding({**parts, "cpu": self._cpu(span)}, scope=self._scope)

    def _cpu(self, span: Span) -> Part:
        cpu_s = span.cpu_s if self._scope == "process" else span.busy_s
        if cpu_s is None:
            return absent("this system does not tell the processor time of the machine")
        usage = Usage(cpu_s, span.wall_s, 0.0, self._threads, self._tdp_w)
        whole = " (whole machine)" if self._scope == "machine" else ""
        method = f"{self._tdp_w / self._threads:.3g} W/thread x CPU time{whole}"
        joules = cpu_time_j(usage)
        if joules <= 0:
            return absent(f"{method}: no CPU time passed", "cpu_not_positive")
        return Part(joules, "estimated", method)
