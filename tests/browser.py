"""A page as headless Chromium sees it."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCHEMES = {"dark": 0, "light": 1}


class Seen:
    """What headless Chromium made of a page."""

    def __init__(self, page: Path, scheme: str, folder: Path) -> None:
        assert CHROMIUM is not None
        log, self.picture = folder / "net.json", folder / "page.png"
        command = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--hide-scrollbars",
            "--enable-logging=stderr",
            "--v=0",
            f"--user-data-dir={folder / 'profile'}",
            f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            f"--log-net-log={log}",
            "--window-size=400,900",
            f"--screenshot={self.picture}",
            "--dump-dom",
            page.as_uri(),
        ]
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        self.dom = answer.stdout
        self.console = [line for line in answer.stderr.splitlines() if "CONSOLE" in line]
        # One event per line; the log is not always closed when Chromium ends. Chromium looks for
        # its own updates; what the page asks for has an origin as its initiator.
        lines = [line for line in log.read_text("utf-8").splitlines() if '"initiator":' in line]
        params = [json.loads(line.rstrip(",]"))["params"] for line in lines]
        self.requests = {one["url"] for one in params if one["initiator"] != "not an origin"}


def accessibility(page: str, scheme: str, folder: Path) -> list[dict[str, Any]]:
    """Violations that axe-core finds: id, impact and the elements."""
    package = find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        pytest.skip("axe-core is not installed: pip install axe-playwright-python")
    axe = Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    tell = (
        "axe.run().then(found => { const told = document.createElement('pre'); told.id = 'axe';"
        "told.textContent = JSON.stringify(found.violations.map(one => ({id: one.id, impact: "
        "one.impact, nodes: one.nodes.map(node => node.html + ' ' + node.failureSummary)})));"
        "document.body.append(told); })"
    )
    allowed = re.sub(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", page)
    scripts = f"<script>{axe}</script><script>{tell}</script></body>"
    told = re.search(
        r'<pre id="axe">(.*?)</pre>',
        _dom(allowed.replace("</body>", scripts), scheme, folder),
        re.S,
    )
    assert told, "axe has not come to its end"
    violations: list[dict[str, Any]] = json.loads(html.unescape(told.group(1)))
    return violations


def scroll_width(page: str, width: int, folder: Path) -> int:
    """Width that a page takes in a window so wide; Chromium's own window cannot be that narrow."""
    tell = (
        "const frame = document.querySelector('iframe'); frame.onload = () => { document.title = "
        "'width ' + frame.contentDocument.documentElement.scrollWidth; }"
    )
    framed = (
        f'<!doctype html><title></title><iframe width="{width}" height="800" style="border: 0" '
        f'srcdoc="{html.escape(page, quote=True)}"></iframe><script>{tell}</script>'
    )
    told = re.search(r"<title>width (\d+)</title>", _dom(framed, "light", folder))
    assert told, "the page has not loaded"
    return int(told.group(1))


def _dom(page: str, scheme: str, folder: Path) -> str:
    path = folder / "told.html"
    path.write_text(page, encoding="utf-8")
    assert CHROMIUM is not None
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        f"--user-data-dir={folder / 'told'}",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        *("--window-size=1000,900", "--virtual-time-budget=30000", "--dump-dom", path.as_uri()),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return answer.stdout
