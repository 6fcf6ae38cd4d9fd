"""What the fields of an `EnergyResult` must be, whoever made it: a window, a caller, or a file."""

from __future__ import annotations

from typing import Any

from fastmlp.energy.checks import ReadOnly, mapping, not_negative, positive, text, texts
from fastmlp.energy.devices import parse
from fastmlp.energy.flags import FLAGS
from fastmlp.energy.grid import GridZone, as_grid
from fastmlp.energy.parts import COMPONENTS, LABELS

IN_SCOPE = ("", "process", "machine")
JOULES = "joules above 0, or None when absent"


def checked(record: Any) -> dict[str, Any]:
    """Return all fields of a record in the types that it promises.

    Raises
    ------
    ValueError
        A field that is not what it is said to be, or contradicts another; it is named.
    """
    fields: dict[str, Any] = {
        "source": ReadOnly(mapping("source", record.source)),
        "method": ReadOnly(mapping("method", record.method)),
        "idle_w": _numbers("idle_w", record.idle_w),
        "model_j": _numbers("model_j", record.model_j),
        "versions": ReadOnly(mapping("versions", record.versions)),
        "wall_s": not_negative("wall_s", record.wall_s, "finite seconds, not negative"),
        "cpu_s": _or_none("cpu_s", record.cpu_s, "finite seconds, not negative"),
        "work": positive("work", record.work),
        "unit": text("unit", record.unit, empty=False),
        "device": parse(record.device).name,
        "flags": texts("flags", record.flags),
    }
    for name in ("label", "backend", "engine"):
        fields[name] = text(name, getattr(record, name))
    for component in COMPONENTS:
        name = f"{component}_j"
        fields[name] = _component(component, getattr(record, name), fields)
    for name in ("source", "idle_w"):
        for component in fields[name]:
            if component not in COMPONENTS:
                raise ValueError(f"{name}[{component!r}]: expected one of {COMPONENTS}")
    for name, version in fields["versions"].items():
        text(f"versions[{name!r}]", version)
    total_j = record.codecarbon_total_j
    if total_j is not None:
        fields["codecarbon_total_j"] = positive("codecarbon_total_j", total_j, JOULES)
    if record.rss_peak_bytes is not None:
        rss = not_negative("rss_peak_bytes", record.rss_peak_bytes, "bytes, not negative, or None")
        fields["rss_peak_bytes"] = int(rss)
    fields["foreign_cpu_share"] = share = _or_none(
        "foreign_cpu_share", record.foreign_cpu_share, "a share, 0 to 1, or None"
    )
    if share is not None and share > 1:
        raise ValueError(f"foreign_cpu_share={share!r}: expected a share, 0 to 1, or None")
    if record.scope not in IN_SCOPE:
        raise ValueError(f"scope={record.scope!r}: expected one of {IN_SCOPE}")
    if record.grid is not None:
        if not isinstance(record.grid, GridZone):
            raise ValueError(f"grid={record.grid!r}: expected a GridZone or None")
        fields["grid"] = as_grid(record.grid)
    unknown = sorted(set(fields["flags"]) - FLAGS.keys())
    if unknown:
        raise ValueError(f"flags={unknown}: expected names from {sorted(FLAGS)}")
    return fields


def _component(component: str, joules: object, fields: dict[str, Any]) -> float | None:
    label, name = fields["source"].get(component), f"{component}_j"
    if label not in LABELS:
        raise ValueError(f"source[{component!r}]={label!r}: expected one of {LABELS}")
    if component not in fields["method"]:
        raise ValueError(f"method: {component!r} is missing; say what its joules are")
    text(f"method[{component!r}]", fields["method"][component])
    if (joules is None) != (label == "absent"):
        raise ValueError(f"{name}={joules!r} contradicts the label {label!r}")
    return None if joules is None else positive(name, joules, JOULES)


def _or_none(name: str, value: object, expected: str) -> float | None:
    return None if value is None else not_negative(name, value, expected)


def _numbers(name: str, values: object) -> ReadOnly:
    found = mapping(name, values).items()
    return ReadOnly({key: not_negative(f"{name}[{key!r}]", value) for key, value in found})
