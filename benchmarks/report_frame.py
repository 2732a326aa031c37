"""What a frame of a report's page costs, on the page's only thread and in all: `report=true` makes the page.

    python benchmarks/report_frame.py runs/latest/report.html [--frames 200] [--play-s 10] [--window 1300x900]

Steps the clock of the globe through a whole episode in headless Chromium and times the JavaScript of every step: what
the page computes (`data`), with deck.gl's update of its layers and their buffers (`frame`), and the browser's layout of
the page afterwards (`layout`). What a graphics card is asked for is counted, the same on every machine: draw calls,
vertices and bytes sent to it in a frame, where all is painted anew. Then the page plays, and after that it is turned
while the clock stands still: the frames are counted that were painted to the end, and the size of the canvas is that of
the last. Who painted is named below the table. Needs Chromium with chromedriver and `pip install -e '.[test]'`.
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
COUNT = """
const [frames, done] = arguments;
leomixReport.then(({ globe, clock }) => {
  globe.deck.animationLoop.stop();
  const asked = { "draw calls": 0, vertices: 0, "bytes sent": 0 };
  const gl = WebGL2RenderingContext.prototype;
  const plain = {};
  const watch = (name, count) => {
    plain[name] = gl[name];
    gl[name] = function (...values) { count(...values); return plain[name].apply(this, values); };
  };
  const draws = (vertices, instances = 1) => { asked["draw calls"]++; asked.vertices += vertices * instances; };
  const sends = (data) => { asked["bytes sent"] += ArrayBuffer.isView(data) ? data.byteLength : 0; };
  watch("drawArrays", (mode, first, n) => draws(n));
  watch("drawElements", (mode, n) => draws(n));
  watch("drawArraysInstanced", (mode, first, n, instances) => draws(n, instances));
  watch("drawElementsInstanced", (mode, n, type, at, instances) => draws(n, instances));
  watch("bufferData", (target, data) => sends(data));
  watch("bufferSubData", (target, at, data) => sends(data));
  for (let i = 0; i < frames; i++) {
    clock.goTo(((i + 0.5) / frames) * globe.duration);
    globe.deck.layerManager.updateLayers();
    globe.deck.redraw("benchmark");
  }
  Object.assign(gl, plain);
  globe.deck.animationLoop.start();
  done(Object.fromEntries(Object.entries(asked).map(([name, sum]) => [name, Math.round(sum / frames)])));
});
"""
PLAY = """
const [seconds, turns, done] = arguments;
leomixReport.then(async ({ globe, clock }) => {
  const { deck } = globe;
  const { canvas } = deck;
  const gl = canvas.getContext("webgl2");
  const painted = () => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  const wait = (ms) => new Promise((after) => setTimeout(after, ms));
  const { onAfterRender } = deck.props;
  let frames = 0, last = -1, now = 0;
  deck.setProps({ onAfterRender: (it) => { onAfterRender(it); if (now !== last) { frames++; last = now; } } });
  let going = true;
  const tick = () => {
    if (!going) return;
    now++;
    if (turns) globe.turn(0.5, 0, 0);
    requestAnimationFrame(tick);
  };
  document.getElementById("stage").scrollIntoView({ behavior: "instant", block: "center" });
  clock.goTo(0);
  if (!turns) clock.toggle(true);
  tick();
  await wait(1000);
  painted();
  frames = 0;
  const start = performance.now();
  await wait(1000 * seconds);
  painted();
  const took_s = (performance.now() - start) / 1000;
  const size = `${canvas.width} x ${canvas.height}`;
  going = false;
  clock.toggle(false);
  deck.setProps({ onAfterRender });
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  done({ rate: frames / took_s, size, painter: gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER) });
});
"""
"""Two paintings between the same two ticks of the screen count as one frame."""
COUNTED_FRAMES = 5
"""Few: every one is painted, here by the processor."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("page", type=Path)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--play-s", type=float, default=10.0)
    parser.add_argument("--window", default="1300x900", help="size of the browser's window in pixels")
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
        f"--window-size={options.window.replace('x', ',')}",
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
        counts = Table("mode", "", "mean of a frame", title="asked of the graphics card")
        rates = Table("mode", "", "canvas, px", "frames a second", title="painted")
        painter = ""
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
            for what, number in chrome.execute_async_script(COUNT, COUNTED_FRAMES).items():
                counts.add_row(f"{mode}, {found['satellites']} satellites", what, f"{number}")
            for what in ("playing", "turning"):
                seen = chrome.execute_async_script(PLAY, options.play_s, what == "turning")
                painter = seen["painter"]
                rates.add_row(
                    f"{mode}, {found['satellites']} satellites", what, seen["size"], f"{seen['rate']:.1f}"
                )
    finally:
        chrome.quit()
    console = Console()
    console.print(table, counts, rates, sep="\n")
    console.print(f"painted by {painter}", soft_wrap=True)


if __name__ == "__main__":
    main()
