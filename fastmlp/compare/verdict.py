"""What the numbers say, and what they do not say, in plain words."""

from __future__ import annotations

import math
import statistics

from fastmlp.compare.cells import complete_runs, incomplete_runs
from fastmlp.compare.conditions import grid
from fastmlp.compare.results import Results, Run
from fastmlp.page.text import duration, listed, ratio, significant

MODELLED = {"estimated", "assumed"}
RESTLESS = 0.25  # middle half of the epochs over their median
FEW_EPOCHS = 4  # up to here the quartiles of the steady epochs are hardly more than their range


def verdict(results: Results) -> list[tuple[str, str]]:
    """Sentences on time, accuracy, energy and what is missing, each under its keyword."""
    complete = complete_runs(results)
    sentences = [
        ("Time per epoch", time_verdict(complete)),
        ("Whole training", whole_verdict(complete)),
        ("Accuracy", accuracy_verdict(complete, results.config["n_test"])),
        ("Energy", energy_verdict(complete, grid(results.config))),
        ("Not compared", missing_verdict(results)),
    ]
    return [(keyword, sentence) for keyword, sentence in sentences if sentence]


def time_verdict(runs: list[Run]) -> str:
    """Who is fastest once everything is compiled, or that it is too close to call."""
    timed = sorted((run for run in runs if run.median_epoch_s), key=_median_s)
    if not timed:
        return "No contender has a complete epoch after its first call, so no speed can be given."
    first, *others = timed
    speed = f"{duration(_median_s(first))} per epoch"
    if not others:
        return f"{first.backend} takes {speed}; there is nothing to compare it with."
    level = [run for run in others if middle_half(run)[0] <= middle_half(first)[1]]
    if level:
        names = [first.backend, *(run.backend for run in level)]
        text = f"{listed(names)} are too close to call, at {speed} and "
        text += f"{duration(_median_s(level[-1]))}: the middle halves of their epochs overlap"
    else:
        text = f"{first.backend} is the fastest, {speed}; next is {others[0].backend} with "
        text += duration(_median_s(others[0]))
    reference = next((run for run in timed if run.is_reference), None)
    if reference is first:
        text += f". {first.backend} is the reference"
    elif reference and first.speed_ratio:
        text += f". {first.backend} computes {ratio(first.speed_ratio)} the samples per second"
        text += f" of the reference, {reference.backend}"
    if min(len(run.epoch_s) for run in timed) <= FEW_EPOCHS:
        text += ". So few epochs say little about small differences"
    restless = [run.backend for run in timed if _spread(run) > RESTLESS]
    if restless:
        text += f". The times of {listed(restless)} vary strongly: repeat on a quiet machine"
    return f"{text}."


def whole_verdict(runs: list[Run]) -> str:
    """Who is done first with the first call counted, and when the fastest one catches up."""
    timed = [run for run in runs if run.median_epoch_s]
    if len(timed) < 2:
        return ""
    epochs = max(len(run.epoch_s) for run in timed)
    done, fastest = min(timed, key=_total_s), min(timed, key=_median_s)
    text = f"With the first call counted, {done.backend} is done first: {epochs} epochs in "
    text += duration(_total_s(done))
    if done is fastest:
        return f"{text}."
    lead = fastest.epoch_s[0] - done.epoch_s[0]
    gain = _median_s(done) - _median_s(fastest)
    if min(gain, lead) <= 0:  # an outlier decided
        return f"{text}."
    return (
        f"{text}, {fastest.backend} in {duration(_total_s(fastest))}. {fastest.backend} would be "
        f"ahead from about {math.ceil(1 + lead / gain):,} epochs on."
    )


def accuracy_verdict(runs: list[Run], n_test: int) -> str:
    """Whether all are equally accurate, as far as so many test images can tell."""
    # counted in images, so that the last digit of a mean decides nothing
    known = ((run.backend, run.test_accuracy) for run in runs)
    hits = {name: round(p * n_test) for name, p in known if p is not None}
    if not hits:
        return ""
    low, high = min(hits.values()), max(hits.values())
    if low == high:
        who = "Equal: all reach" if len(hits) > 1 else f"{next(iter(hits))} reaches"
        return f"{who} {100 * high / n_test:.2f} % on the test set, {high:,} of {n_test:,} images."
    points = 100 * (high - low) / n_test
    text = (
        f"{100 * low / n_test:.2f} to {100 * high / n_test:.2f} % on the test set, {points:.2g} "
        f"points apart, which is {high - low:,} of {n_test:,} images"
    )
    noise = 100 * accuracy_noise(statistics.mean(hits.values()) / n_test, n_test)
    if points <= noise:
        return (
            f"Equal within chance: {text}. A test set of this size tells an accuracy only to "
            f"within {noise:.2g} points."
        )
    worst = min(hits, key=lambda name: hits[name])
    return (
        f"Not equal: {text}. Chance explains about {noise:.2g} points. Look at {worst} first: "
        "times and energies of unequal results should not be ranked."
    )


def energy_verdict(runs: list[Run], zone: str) -> str:
    """What the joules are worth; a model of time is no second witness."""
    found = sorted((run for run in runs if run.energy_j is not None), key=_energy_j)
    if not found:
        return "There is no energy value, so nothing can be said about CO2."
    known = [run for run in found if not has_short_window(run)]
    short = [run.backend for run in found if has_short_window(run)]
    left_out = f"Left out, for too short a window: {listed(short)}." if short else ""
    return f"{_energy_ranking(known, zone)} {left_out}".strip() if known else left_out


def _energy_ranking(known: list[Run], zone: str) -> str:
    sources = sorted({run.energy_source for run in known})
    if len(sources) > 1 and not set(sources) <= MODELLED:
        return (
            f"The sources differ ({listed(sources)}), so these energies must not be ranked "
            "against each other."
        )
    least, most = known[0], known[-1]
    extremes = f"{least.backend} the least for all epochs, {significant(_energy_j(least))} J"
    if least is not most:
        extremes += f", and {most.backend} the most, {significant(_energy_j(most))} J"
    extremes += f"; grid {zone}."
    if set(sources) <= MODELLED:
        head = f"{listed(sources).capitalize()}, not measured: a model turns time into joules."
        return f"{head} It gives {extremes} {_order_note(known)}".rstrip()
    return (
        f"{sources[0].capitalize()} in one window each, without repeats, so that a small "
        f"difference shows nothing: {extremes}"
    )


def missing_verdict(results: Results) -> str:
    """Who has no complete run."""
    missing = [f"{run.backend} ({run.status})" for run in incomplete_runs(results)]
    return f"{listed(missing)}; the reasons stand below." if missing else ""


def accuracy_noise(accuracy: float, n_test: int) -> float:
    """Half of the 95 % interval of an accuracy that was counted on n_test images.

    Two hits and two misses are added, so that 100 % is not taken for certain.

    References
    ----------
    Agresti and Coull, "Approximate is better than 'exact' for interval estimation of binomial
    proportions", The American Statistician 52 (1998).

    Examples
    --------
    >>> round(accuracy_noise(0.97, 10_000), 4)
    0.0034
    """
    n = n_test + 4
    p = (accuracy * n_test + 2) / n
    return 1.96 * math.sqrt(p * (1 - p) / n)


def middle_half(run: Run) -> tuple[float, float]:
    """First and third quartile of the times of epochs 2 and later, in seconds.

    Examples
    --------
    >>> middle_half(Run("numpy", epoch_s=[9.0, 1.0, 2.0, 3.0, 4.0, 5.0]))
    (2.0, 4.0)
    """
    steady = run.epoch_s[1:]
    if len(steady) < 2:
        return steady[0], steady[0]
    quartiles = statistics.quantiles(steady, n=4, method="inclusive")
    return quartiles[0], quartiles[2]


def has_short_window(run: Run) -> bool:
    """Tell whether the energy window was too short for a trustworthy number."""
    return "short_window" in run.energy.get("window", run.energy).get("flags", ())


def _order_note(known: list[Run]) -> str:
    if len(known) < 2:
        return ""
    by_energy = [run.backend for run in known]
    by_time = [run.backend for run in sorted(known, key=_total_s)]
    by_epoch = [run.backend for run in sorted(known, key=_median_s)]
    note = f"The order, {' < '.join(by_energy)}, "
    if by_energy == by_time:
        return note + "repeats the order of the training times and adds nothing to it."
    if by_energy == by_epoch:
        return note + "repeats the order of the times per epoch and adds nothing to it."
    return note + (
        "differs from the order of the times, because the model also bills busy threads and its "
        "window is not the timed run: no evidence that one uses less."
    )


def _median_s(run: Run) -> float:
    return run.median_epoch_s or math.inf


def _total_s(run: Run) -> float:
    return math.fsum(run.epoch_s)


def _spread(run: Run) -> float:
    low, high = middle_half(run)
    return (high - low) / _median_s(run)


def _energy_j(run: Run) -> float:
    return run.energy_j or 0.0
