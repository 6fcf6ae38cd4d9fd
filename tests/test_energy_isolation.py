"""What measuring energy must not touch: imports, network, files, stderr, signals, environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from fastmlp.energy import grid_intensity
from fastmlp.energy import tracker as tracker_module

ROOT = Path(__file__).parents[1]


def run_python(code: str, cwd: Path = ROOT, **environment: str) -> str:
    """Run a script in a fresh interpreter; anything on stderr fails the test."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_codecarbon_is_loaded_only_by_a_meter_that_needs_it() -> None:
    code = """
        import sys
        from fastmlp.energy import EnergyMeter, grid_intensity
        grid_intensity("WORLD")
        try:
            grid_intensity("FRA")
        except ImportError:
            pass
        for engine in ("model", "counters"):
            with EnergyMeter("WORLD", engine=engine).window(device="cpu") as window:
                sum(range(3_000_000))
            assert window.result.cpu_j, window.result
        print(sorted({"codecarbon", "psutil", "pandas", "requests"} & set(sys.modules)))
    """
    assert run_python(code) == "[]\n"


CHILD = """
    import json, signal, socket, threading, time
    from fastmlp.energy import EnergyMeter

    tried = []

    def blocked(*args, **kwargs):
        tried.append(args)
        raise OSError("the network is blocked")

    socket.create_connection = socket.getaddrinfo = socket.gethostbyname = blocked
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, blocked)
    before = [signal.getsignal(number) for number in signal.valid_signals()]
    meter = EnergyMeter(grid="FRA", engine="codecarbon")
    with meter.window("loop", device="cpu") as window:
        end = time.perf_counter() + 1.2
        while time.perf_counter() < end:
            pass
    for thread in threading.enumerate()[1:]:
        thread.join(5)  # a timer that was just cancelled may still be on its way out
    assert threading.active_count() == 1, threading.enumerate()
    assert [signal.getsignal(number) for number in signal.valid_signals()] == before
    assert tried == [], tried
    print(json.dumps(window.result.to_dict()))
"""

POISON = {
    "force_ram_power": "300",
    "force_cpu_power": "1000",
    "force_mode_cpu_load": "true",
    "pue": "3",
    "tracking_mode": "machine",
    "measure_power_secs": "0.01",
    "output_methods": "csv",
    "save_to_file": "true",
    "emissions_endpoint": "http://localhost:9",
    "co2_signal_api_token": "token",
    "electricitymaps_api_token": "token",
    "force_carbon_intensity_g_co2e_kwh": "1",
    "country_iso_code": "CAN",
    "region": "quebec",
    "allow_multiple_runs": "false",
    "output_dir": "nowhere",
    "log_level": "debug",
    "logger_preamble": "loud",
    "gpu_ids": "7",
}


def test_environment_network_and_config_files_change_nothing(tmp_path: Path) -> None:
    pytest.importorskip("codecarbon")
    home, clean, temp = tmp_path / "home", tmp_path / "clean", tmp_path / "temp"
    for folder in (home, clean, temp):
        folder.mkdir()
    config = "[codecarbon]\n" + "".join(f"{name} = {value}\n" for name, value in POISON.items())
    (home / ".codecarbon.config").write_text(config)
    (tmp_path / ".codecarbon.config").write_text(config)
    # every option that there is, those that tests do not know by name too
    names = {*POISON, *tracker_module.SETTINGS}
    variables = {f"CODECARBON_{name.upper()}": POISON.get(name, "1") for name in names}
    before = sorted(tmp_path.rglob("*"))

    plain = json.loads(run_python(CHILD, clean, HOME=str(clean), TMPDIR=str(temp)))
    poisoned = json.loads(
        run_python(CHILD, tmp_path, HOME=str(home), TMPDIR=str(temp), **variables)
    )

    assert sorted(tmp_path.rglob("*")) == before
    for name in ("method", "source", "grid", "scope", "engine", "pue"):
        assert poisoned[name] == plain[name]
    assert poisoned["grid"]["g_per_kwh"] == grid_intensity("FRA").g_per_kwh > 50
    flags = [set(run["flags"]) - {"contention"} for run in (plain, poisoned)]  # by other work
    assert flags[1] == flags[0] | {"environment"}
    watts = [run["ram_j"] / run["wall_s"] for run in (plain, poisoned)]
    assert watts[1] == pytest.approx(watts[0], rel=0.1)
    if "CPU time" in plain["method"]["cpu"]:
        watts = [run["cpu_j"] / run["cpu_s"] for run in (plain, poisoned)]
        assert watts[1] == pytest.approx(watts[0], rel=0.1)


ODD_PLACES = """
    import logging, os
    import codecarbon
    log = logging.getLogger("codecarbon")
    log.setLevel("WARNING")
    handlers = list(log.handlers)
    if "GONE" in os.environ:
        os.rmdir(os.getcwd())
    from fastmlp.energy import EnergyMeter
    meter = EnergyMeter(engine="codecarbon")
    with meter.window(device="cpu") as window:
        sum(range(30_000_000))
    result = window.result
    assert result.cpu_j, result
    assert (log.level, log.disabled, log.handlers) == (logging.WARNING, False, handlers)
"""


@pytest.mark.parametrize("text", ["[codecarbon\nforce = ", "\x00\x01", "no section"])
def test_damaged_files_of_settings_cost_nothing(tmp_path: Path, text: str) -> None:
    pytest.importorskip("codecarbon")
    (tmp_path / ".codecarbon.config").write_text(text)
    run_python(ODD_PLACES, tmp_path, HOME=str(tmp_path))


def test_a_working_directory_that_is_gone_costs_nothing(tmp_path: Path) -> None:
    pytest.importorskip("codecarbon")
    gone = tmp_path / "gone"
    gone.mkdir()
    run_python(ODD_PLACES, gone, GONE="yes")
    assert not gone.exists()


def test_no_folder_to_write_to_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr("tempfile.gettempdir", refuse)
    assert Path(tracker_module._folder()).is_dir()


def test_another_tracker_of_the_process_is_still_heard() -> None:
    """A meter sets no level; what its tracker says at INFO is dropped, in its own calls only."""
    pytest.importorskip("codecarbon")
    code = """
        import io, logging
        import codecarbon
        from fastmlp.energy import EnergyMeter
        log, said = logging.getLogger("codecarbon"), io.StringIO()
        meter = EnergyMeter(engine="codecarbon")
        log.handlers = [logging.StreamHandler(said)]
        log.setLevel("DEBUG")
        with meter.window(device="cpu"):
            log.info("of the user")
            sum(range(3_000_000))
        print(said.getvalue(), end="")
    """
    assert run_python(code) == "of the user\n"
