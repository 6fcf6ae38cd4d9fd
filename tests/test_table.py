"""The table in the terminal, and the sentences of the verdict."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from invented_results import (
    CASES,
    CUPY_HINT,
    EXPLAIN,
    complete,
    half_way,
    joules,
    long_reasons,
    no_energy,
    on_gpus,
    results,
    sample,
)
from rich.console import Console

from fastmlp.compare.results import Results, Run
from fastmlp.compare.table import print_table
from fastmlp.compare.verdict import accuracy_verdict, energy_verdict, verdict
from fastmlp.page.text import significant

cases = pytest.mark.parametrize("name", CASES)


def printed(results: Results, width: int = 80) -> str:
    """Return the table as a pipe receives it."""
    file = StringIO()
    print_table(results, Console(file=file, width=width))
    return file.getvalue()


def words(text: str) -> str:
    return " ".join(text.split())


def row(text: str, name: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name])


def test_every_value_stands_rounded_in_its_row() -> None:
    text = printed(sample())
    source = "estimated"
    assert row(text, "numpy") == (
        [
            "numpy",
            "cpu",
            "97.22",
            "0.0900",
            "0.00400",
            "3.87",
            "372",
            "3.2x",
            "1.10",
            source,
            "0.0171",
        ]
    )
    assert row(text, "jax") == (
        [
            "jax",
            "cpu",
            "97.22",
            "0.0900",
            "0.450",
            "1.30",
            "1,106",
            "9.6x",
            "0.700",
            source,
            "0.0109",
        ]
    )
    assert row(text, "keras") == (
        ["keras", "cpu", "97.22", "0.0900", "1.90", "12.5", "115", "1.0x", "5.10", source, "0.0794"]
    )
    head = text.splitlines()[:2]
    assert head[0].split()[-4:] == ["vs", "energy", "energy", "CO2e"]
    assert head[1].split()[-7:] == ["s", "ms", "1000/s", "keras", "J", "source", "mg"]


@pytest.mark.parametrize("exponent", range(-6, 8))
def test_three_digits_survive_reading_back(exponent: int) -> None:
    for mantissa in (1.0, 1.2345, 9.994, 9.9951, 9.9999):
        value = mantissa * 10.0**exponent
        assert float(significant(value).replace(",", "")) == pytest.approx(value, rel=0.005001)
        digits = significant(value).replace(",", "").replace(".", "").lstrip("0")
        assert len(digits) == 3 or exponent > 1, "whole thousands are not rounded away"


def test_seconds_are_shown_where_epochs_are_long() -> None:
    text = printed(results(complete("numpy", 5.0, 2.5), complete("keras", 9.0, 12.34)))
    assert row(text, "numpy")[5] == "2.50"
    assert row(text, "keras")[5:7] == ["12.3", "117"]
    assert text.splitlines()[1].split()[:8] == ["acc.", "%", "loss", "call", "s", "s", "per", "s"]


@cases
def test_table_fits_80_columns_and_is_plain_text(name: str) -> None:
    text = printed(CASES[name]())
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii()
    assert text.isprintable() or set(text) - set("\n") <= set(map(chr, range(32, 127)))
    assert "..." not in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_hints_are_wrapped_and_keep_their_brackets(width: int) -> None:
    text = words(printed(sample(), width))
    assert "cupy unavailable: not installed " + CUPY_HINT in text
    assert "torch unavailable: not installed pip install 'fastmlp[torch]'" in text


def test_long_reason_is_folded_and_not_cut() -> None:
    text = "".join(printed(long_reasons()).split())
    assert "no/blank/in/this/path" * 30 + "<script>x</script>" in text


def test_caption_tells_the_conditions() -> None:
    text = words(printed(sample()))
    assert (
        "digits (1,438 training, 359 test), network 64-64-10 relu, batch 32, learning rate 0.3, "
        "20 epochs, seed 0, float32 in full precision, 2 threads, "
        "grid FRA at 56.0 g CO2e/kWh (2023)"
    ) in text
    left_out = "first call (epoch 1, with compiling) left out. "
    counted_in = "Energy and CO2e: all epochs, the first call counted in. "
    assert f"{left_out}{counted_in}vs keras: samples/s over those" in text
    assert f"{left_out}vs keras" in words(printed(no_energy()))
    assert re.search(
        rf"Energy of numpy, 1.10 J, follows from a window of .* more epochs: {re.escape(EXPLAIN)}",
        text,
    )
    assert text.count("Energy of ") == 1, "contenders with the same method share one sentence"


def test_half_way_runs_keep_their_numbers_and_say_why() -> None:
    text = printed(half_way())
    assert row(text, "jax")[:5] == ["jax", "*", "cpu", "97.22", "0.0900"]
    assert "jax * interrupted after 7 of 20 epochs" in words(text)
    assert "torch * failed: DivergenceError: training diverged in epoch 4" in words(text)


def test_unknown_is_a_dash_and_never_zero() -> None:
    text = printed(no_energy())
    assert row(text, "numpy")[-3:] == ["-", "absent", "-"]
    assert "No energy of numpy: CodeCarbon is missing: pip install 'fastmlp[energy]'" in words(text)
    assert "grid FRA of unknown carbon intensity" in words(text)
    assert row(printed(CASES["one epoch"]()), "numpy")[5:8] == ["-", "-", "-"]


def test_wide_table_puts_the_source_below_the_energy_and_breaks_no_number() -> None:
    text = printed(on_gpus())
    numpy = ["97.00", "0.0900", "0.100", "4.00", "15,000", "1,234x", "2.00", "0.0311"]
    assert row(text, "numpy") == ["numpy", "cuda:0", *numpy]
    keras = ["97.07", "0.0900", "3.60", "65,536", "0.916", "0.075x", "32,768", "510"]
    assert row(text, "keras") == ["keras", "cuda:0", *keras]
    below = text.splitlines()[3].split()
    assert below == ["estimated"]
    assert row(printed(on_gpus(), 120), "numpy") == [
        "numpy",
        "cuda:0",
        *numpy[:-1],
        "estimated",
        "0.0311",
    ]


# ---------------------------------------------------------------- the verdict


def said(results: Results) -> dict[str, str]:
    return dict(verdict(results))


def test_verdict_names_the_fastest_and_who_is_done_first() -> None:
    sentences = said(sample())
    assert sentences["Time per epoch"] == (
        "jax is the fastest, 1.30 ms per epoch; next is numpy with 3.87 ms. jax computes 9.6x the "
        "samples per second of the reference, keras."
    )
    # 0.004 + 19 x 0.00387 < 0.45 + 19 x 0.0013; equal at 1 + 0.446 / 0.00257 = 174.5
    assert "numpy is done first: 20 epochs in 77.5 ms" in sentences["Whole training"]
    assert "jax would be ahead from about 175 epochs on" in sentences["Whole training"]
    assert sentences["Not compared"].startswith("cupy (unavailable) and torch (unavailable)")


def test_overlapping_times_are_too_close_to_call() -> None:
    close = said(results(complete("numpy", 0.1, 0.0100), complete("jax", 0.1, 0.0101)))
    assert "numpy and jax are too close to call" in close["Time per epoch"]
    apart = said(results(complete("numpy", 0.1, 0.0100), complete("jax", 0.1, 0.0110)))
    assert apart["Time per epoch"].startswith("numpy is the fastest, 10.0 ms")


def test_restless_times_are_named() -> None:
    restless = complete("torch", 0.1, 0.02)
    restless.epoch_s[2::2] = [0.08] * 9
    text = said(results(complete("numpy", 0.1, 0.01), restless))["Time per epoch"]
    assert text.endswith("The times of torch vary strongly: repeat on a quiet machine.")
    assert "vary" not in said(sample())["Time per epoch"]


def test_interrupted_runs_are_not_ranked() -> None:
    sentences = said(half_way())
    assert sentences["Time per epoch"].startswith("numpy takes 3.87 ms per epoch; there is nothing")
    assert sentences["Not compared"].startswith("jax (interrupted) and torch (failed)")


def test_one_epoch_gives_no_speed() -> None:
    assert "no speed can be given" in said(CASES["one epoch"]())["Time per epoch"]
    assert "no speed can be given" in said(CASES["nothing ran"]())["Time per epoch"]


@pytest.mark.parametrize(
    ("accuracies", "n_test", "beginning"),
    [
        ((0.97, 0.97), 359, "Equal: all reach 96.94 % on the test set, 348 of 359 images."),
        (
            (0.9694, 0.9722),
            359,
            "Equal within chance: 96.94 to 97.21 % on the test set, 0.28 points",
        ),
        ((0.9582, 0.958200001), 359, "Equal: all reach 95.82 %"),
        ((0.9690, 0.9722), 10_000, "Equal within chance"),
        ((0.9672, 0.9722), 10_000, "Not equal: 96.72 to 97.22 %"),
        ((0.0, 0.9722), 359, "Not equal: 0.00 to 97.21 %"),
        ((0.99, 1.0), 10_000, "Not equal"),
    ],
)
def test_accuracy_is_equal_as_far_as_the_test_set_can_tell(
    accuracies: tuple[float, ...], n_test: int, beginning: str
) -> None:
    runs = [Run(f"b{place}", test_accuracy=p) for place, p in enumerate(accuracies)]
    assert accuracy_verdict(runs, n_test).startswith(beginning)


def energies(*pairs: tuple[float, str, float]) -> str:
    runs = [
        complete(f"b{place}", epoch_s, epoch_s, **joules(energy_j, source))
        for place, (energy_j, source, epoch_s) in enumerate(pairs)
    ]
    return energy_verdict(runs, "FRA")


def test_energy_verdict_is_honest_about_its_source() -> None:
    same = energies((3.0, "estimated", 0.3), (1.0, "estimated", 0.1))
    assert "Estimated, not measured" in same
    assert "b1 < b0, repeats the order of the training times and adds nothing" in same
    other = energies((3.0, "estimated", 0.1), (1.0, "estimated", 0.3))
    assert "b1 < b0, differs from the order of the times" in other
    assert "no evidence" in other
    measured = energies((3.0, "measured", 0.1), (1.0, "measured", 0.3))
    assert "Measured in one window each" in measured
    assert "model" not in measured
    mixed = energies((3.0, "measured", 0.1), (1.0, "estimated", 0.3))
    assert "must not be ranked" in mixed
    assert energies() == "There is no energy value, so nothing can be said about CO2."
    assert said(CASES["short window"]())["Energy"] == ("Left out, for too short a window: numpy.")


def test_short_window_is_left_out_of_the_ranking() -> None:
    short = complete("b2", 0.2, 0.2, **joules(0.1, flags=("short_window",)))
    runs = [complete("b0", 0.3, 0.3, **joules(3.0)), complete("b1", 0.1, 0.1, **joules(1.0)), short]
    text = energy_verdict(runs, "FRA")
    assert "It gives b1 the least for all epochs, 1.00 J, and b0 the most, 3.00 J" in text
    assert "The order, b1 < b0, repeats" in text
    assert text.endswith("Left out, for too short a window: b2.")
