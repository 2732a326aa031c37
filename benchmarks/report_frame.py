"""Time that the page of a report takes for a frame, on the thread that must stay free: `report=true` makes the page.

    python benchmarks/report_frame.py runs/latest/report.html [--frames 200]

Steps the clock of the globe through a whole episode in headless Chromium and times the JavaScript of every step: what
the page computes (`data`), with deck.gl's update of its layers and their buffers (`frame`), and the browser's layout of
the page afterwards (`layout`). Painting pixels is not counted: without a graphics card it is done by the processor, and
says nothing about a machine that has one. Needs Chromium with chromedriver and `pip install -e '.[test]'`.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from rich.console import Console
from rich.table import Table
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE_S = 300
STEPS = """
const [frames, done] = arguments;
leomixReport.then(({ globe, clock }) => {
  globe.deck.animationLoop.stop();
  const spent = { data: [], frame: [], layout: [] };
  for (let i = 0; i < frames; i++) {
    const start = performance.now();
    clock.goTo(((i + 0.5) / frames) * globe.duration);
    const updated = performance.now();
    globe.deck.layerManager.updateLayers();
    const drawn = performance.now();
    document.body.getBoundingClientRect();
    spent.layout.push(performance.now() - drawn);
    spent.data.push(updated - start);
    spent.frame.push(drawn - start);
  }
  globe.deck.animationLoop.start();
  done({ satellites: globe.n, spent });
});
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("page", type=Path)
    parser.add_argument("--frames", type=int, default=200)
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        raise SystemExit("error: no Chromium with chromedriver (apt-get install chromium chromium-driver)")
    settings = ChromeOptions()
    settings.binary_location = browser
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1300,900",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
    ):
        settings.add_argument(argument)
    chrome = Chrome(options=settings, service=Service(driver))
    chrome.set_script_timeout(PATIENCE_S)
    try:
        chrome.get(options.page.resolve().as_uri())
        ready = "return document.documentElement.dataset.ready"
        WebDriverWait(chrome, PATIENCE_S).until(lambda page: page.execute_script(ready))
        table = Table("mode", "", "median, ms", "95%, ms", title=str(options.page))
        for mode in ("packets", "orbits"):
            chrome.execute_script(f"document.querySelector('input[value={mode}]').click()")
            chrome.execute_async_script(STEPS, options.frames)  # warms up
            found = chrome.execute_async_script(STEPS, options.frames)
            for what, times in found["spent"].items():
                ordered = sorted(times)
                middle, late = (ordered[round(share * (len(ordered) - 1))] for share in (0.5, 0.95))
                table.add_row(
                    f"{mode}, {found['satellites']} satellites", what, f"{middle:.1f}", f"{late:.1f}"
                )
    finally:
        chrome.quit()
    Console().print(table)


if __name__ == "__main__":
    main()
