"""The page in a real browser, headless: it loads from a disk without network or errors, and its globe works.

Skipped where there is no Chromium with its driver (Debian: `apt-get install chromium chromium-driver`).
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from report.results import Results
from report.scene import earth_fixed
from report.write import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no Chromium with chromedriver (apt-get install chromium chromium-driver)",
    ),
]
PATIENCE_S = 180
"""Graphics are drawn by the processor here, which may have other things to do."""


@pytest.fixture(scope="module")
def browser(results: Results) -> Iterator[Chrome]:
    """A browser without any way out, with the page ready."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=900,800",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--force-prefers-reduced-motion",  # a page that is still gliding is clicked beside what is meant
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    driver.set_script_timeout(PATIENCE_S)
    try:
        driver.get(write_report(results).as_uri())
        WebDriverWait(driver, PATIENCE_S).until(lambda d: d.execute_script(READY))
        yield driver
    finally:
        driver.quit()


READY = "return document.documentElement.dataset.ready"
AFTER_DRAWING = "const done = arguments[0]; leomixReport.then(({globe}) => { globe.deck.redraw('test'); "
AFTER_DRAWING += "requestAnimationFrame(() => requestAnimationFrame(() => done(true))); })"


def picture(browser: Chrome) -> np.ndarray:
    """What is on the globe's stage, [H, W, 3]."""
    stage = browser.find_element(By.ID, "stage")
    browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", stage)
    browser.execute_async_script(AFTER_DRAWING)
    with Image.open(io.BytesIO(stage.screenshot_as_png)) as image:
        return np.asarray(image.convert("RGB"))


def differs(a: np.ndarray, b: np.ndarray) -> float:
    """Share of pixels that are clearly another colour."""
    return float((np.abs(a.astype(int) - b.astype(int)).max(-1) > 24).mean())


def ask(browser: Chrome, expression: str):
    """A value from the page, in terms of `globe` and `clock`."""
    script = f"const done = arguments[0]; leomixReport.then(({{globe, clock}}) => done({expression}))"
    return browser.execute_async_script(script)


def choose(browser: Chrome, name: str, text: str) -> None:
    Select(browser.find_element(By.ID, name)).select_by_visible_text(text)


def test_it_loads_from_a_disk_without_errors_or_requests(browser: Chrome):
    assert browser.execute_script(READY) == "yes"
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        message["params"]["request"]["url"].split(":")[0]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert asked <= {"file", "data", "blob"}
    complaints = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert not complaints


def test_the_page_may_not_ask_anybody(browser: Chrome):
    """Not only does it ask for nothing: its policy forbids it, whatever a library should come to do."""
    refused = browser.execute_async_script(
        "document.addEventListener('securitypolicyviolation', (event) => arguments[0](event.effectiveDirective));"
        "fetch('https://example.org/').catch(() => {})"
    )
    assert refused == "connect-src"
    browser.get_log("browser")


def test_the_globe_is_not_blank_and_its_sides_differ(browser: Chrome):
    browser.execute_async_script("leomixReport.then(({clock}) => clock.goTo(1.5)).then(arguments[0])")
    seen = picture(browser)
    assert len(np.unique(seen.reshape(-1, 3), axis=0)) > 1000
    half = seen.shape[1] // 2
    below_names = slice(60, None)
    left, right = seen[below_names, :half], seen[below_names, half : 2 * half]
    assert seen.std() > 20, "an Earth, and space"
    assert 0.0005 < differs(left, right) < 0.5, "the same globe, other paths"


def test_the_slider_moves_time(browser: Chrome):
    before, time = picture(browser), ask(browser, "clock.time")
    slider = browser.find_element(By.ID, "time")
    for _ in range(3):
        slider.send_keys(Keys.PAGE_UP)
    assert ask(browser, "clock.time") > time
    assert slider.get_attribute("aria-valuetext") == browser.find_element(By.ID, "time-text").text
    assert differs(before, picture(browser)) > 0.0005


def test_another_router_is_another_picture(browser: Chrome):
    before = picture(browser)
    choose(browser, "right", "random")
    assert browser.find_element(By.ID, "head-right").text == "random, s"
    assert browser.find_element(By.ID, "name-right").text.startswith("random:")
    after = picture(browser)
    half = before.shape[1] // 2
    assert differs(before[60:, half:], after[60:, half:]) > 0.0005
    choose(browser, "right", "dijkstra")


def test_the_packets_beside_the_globe_have_the_delays_of_the_tables(browser: Chrome, results: Results):
    index = int(browser.find_element(By.CSS_SELECTOR, "#world option:checked").text.split(":")[0].split()[1])
    present = results.episodes.present[index].nonzero().squeeze(1).tolist()
    rows = browser.find_elements(By.CSS_SELECTOR, "#packets tr")
    assert [int(row.get_attribute("data-packet") or -1) for row in rows] == present
    for side, column in (("look_ahead_3", 3), ("dijkstra", 4)):
        shown = [row.find_elements(By.TAG_NAME, "td")[column].text for row in rows]
        delivered = results.episodes.routes[side].delivered[index]
        charged_s = results.episodes.charged_s(side)[index]
        assert shown == [f"{charged_s[p]:.2f}" if delivered[p] else "lost" for p in present]


def test_keys_play_turn_and_zoom(browser: Chrome):
    stage = browser.find_element(By.ID, "stage")
    orbit, zoom = ask(browser, "[globe.view.rotationOrbit, globe.view.zoom]")
    stage.send_keys(Keys.ARROW_RIGHT, "+")
    turned, closer = ask(browser, "[globe.view.rotationOrbit, globe.view.zoom]")
    assert turned != orbit and closer > zoom
    time = ask(browser, "clock.time")
    stage.send_keys(" ")
    WebDriverWait(browser, PATIENCE_S).until(lambda d: ask(d, "clock.time") != time)
    ask(browser, "clock.toggle(false)")
    assert browser.find_element(By.ID, "play").text == "Play"
    stage.send_keys(Keys.HOME)


def test_orbits_are_those_of_the_simulator(browser: Chrome, results: Results):
    browser.find_element(By.CSS_SELECTOR, "input[value=orbits] + span").click()
    assert ask(browser, "globe.sides.length") == 1
    topology = results.episodes.ephemeris.topology
    index = int(browser.find_element(By.CSS_SELECTOR, "#world option:checked").text.split(":")[0].split()[1])
    start_s = topology.time_s[results.episodes.worlds.slot[index]]
    for after_s in (0.0, 700.0, 2500.0):
        positions = f"satellitePositions(globe.world, {after_s}, new Float32Array(3 * globe.n))"
        shown = ask(browser, f"[...{positions}].map(x => x * EARTH_KM / EARTH)")
        expected = earth_fixed(topology.constellation, (start_s + after_s)[None], "j2")[0].numpy()
        np.testing.assert_allclose(np.reshape(shown, (-1, 3)), expected, atol=12)
    before = picture(browser)
    browser.find_element(By.ID, "time").send_keys(Keys.PAGE_UP)
    assert differs(before, picture(browser)) > 0.001
    browser.find_element(By.CSS_SELECTOR, "input[value=packets] + span").click()


STEP = """(() => {
  clock.goTo(0.4 * globe.duration);
  const before = new Map(globe.layers.map((layer) => [layer.id, layer]));
  clock.goTo(0.6 * globe.duration);
  const kept = (layer) => before.get(layer.id) === layer;
  const values = (layer) => Object.values(layer.props.data.attributes ?? {}).map((one) => one.value ?? one);
  return globe.layers.map((layer) => ({
    id: layer.id, kept: kept(layer),
    typed: values(layer).length > 0 && values(layer).every(ArrayBuffer.isView),
    sameData: before.get(layer.id)?.props.data === layer.props.data,
    sameLooks: before.get(layer.id)?.props.data.attributes?.getFillColor === layer.props.data.attributes?.getFillColor,
  }));
})()"""
"""What becomes of every layer when time goes on."""


def test_a_frame_makes_only_what_moves_and_what_moves_are_typed_arrays(browser: Chrome):
    layers = {one["id"]: one for one in ask(browser, STEP)}
    anew = {name for name, one in layers.items() if not one["kept"]}
    assert (
        {"packets-left", "packets-right"}
        <= anew
        <= {f"{what}-{side}" for what in ("packets", "loads") for side in ("left", "right")}
    )
    many = [f"{what}-{side}" for what in ("fleet", "loads", "packets") for side in ("left", "right")]
    assert all(layers[name]["typed"] for name in (*many, "links-both"))

    browser.find_element(By.CSS_SELECTOR, "input[value=orbits] + span").click()
    layers = {one["id"]: one for one in ask(browser, STEP)}
    assert {name for name, one in layers.items() if not one["kept"]} == {
        "fleet-left",
        "names-left",
        "contacts-both",
    }
    assert layers["fleet-left"]["typed"] and layers["fleet-left"]["sameLooks"], (
        "colours and sizes are not sent again"
    )
    assert layers["names-left"]["sameData"] and layers["contacts-both"]["typed"]
    browser.find_element(By.CSS_SELECTOR, "input[value=packets] + span").click()


def test_a_frame_asks_for_no_layout(browser: Chrome):
    """Where the stage's size is read between writes to the page, the browser lays the page out every frame."""
    asked = ask(
        browser,
        """(() => {
          let asked = 0;
          for (const name of ["clientWidth", "clientHeight"]) {
            Object.defineProperty(globe.stage, name, { configurable: true, get: () => { asked++; return 600; } });
          }
          clock.goTo(0.2 * globe.duration);
          for (const name of ["clientWidth", "clientHeight"]) delete globe.stage[name];
          return asked;
        })()""",
    )
    assert asked == 0


def test_what_stands_still_beneath_what_moves_looks_as_all_at_once(browser: Chrome):
    WebDriverWait(browser, PATIENCE_S).until(lambda d: not ask(d, "globe.painting.turning"))
    for mode in ("orbits", "packets"):
        browser.find_element(By.CSS_SELECTOR, f"input[value={mode}] + span").click()
        ask(browser, "clock.goTo(0.3 * globe.duration)")
        at_rest = picture(browser)
        assert ask(browser, "[globe.painting.part, globe.painting.beneath.hidden]") == ["all", True]
        ask(browser, "globe.painting.run(true)")
        picture(browser)
        running = picture(browser)
        assert ask(browser, "[globe.painting.part, globe.painting.beneath.hidden]") == ["moving", False]
        assert differs(at_rest, running) < 0.001
        ask(browser, "globe.painting.run(false)")
        assert ask(browser, "[globe.painting.part, globe.painting.beneath.hidden]") == ["all", True]


def test_playing_paints_what_moves_until_it_stops(browser: Chrome):
    ask(browser, "(clock.goTo(0), clock.toggle(true))")
    browser.find_element(By.ID, "stage").send_keys(Keys.ARROW_RIGHT)
    WebDriverWait(browser, PATIENCE_S).until(lambda d: ask(d, "globe.painting.part") == "moving")
    ask(browser, "clock.toggle(false)")
    assert ask(browser, "globe.painting.part") == "all"
    slider = browser.find_element(By.ID, "time")
    slider.send_keys(Keys.PAGE_UP)
    assert not ask(browser, "globe.painting.running"), "a step by a key ends at once"


def test_a_slow_painter_gets_fewer_pixels_while_the_globe_is_turned(browser: Chrome):
    width = "(globe.deck.redraw('test'), globe.deck.canvas.width)"
    sharp = ask(browser, width)
    fewer = ask(browser, f"(globe.turn(1, 0, 0), globe.painting.painted(1000), globe.turn(1, 0, 0), {width})")
    assert fewer < sharp
    mesh = "globe.painting.shows({ id: 'links-both' })"
    assert ask(browser, mesh), "first fewer pixels, then no mesh of links"
    slower = "globe.painting.painted(1000), " * 3
    assert not ask(browser, f"(globe.turn(1, 0, 0), {slower}{mesh})")
    WebDriverWait(browser, PATIENCE_S).until(lambda d: not ask(d, "globe.painting.turning"))
    assert ask(browser, width) == sharp, "as sharp as before once the hand rests"
    assert ask(browser, mesh)
    ask(browser, "globe.face()")


def test_the_earth_hides_what_is_behind_it_from_the_pointer_too(browser: Chrome):
    found = ask(
        browser,
        """(() => {
          globe.deck.redraw("test");
          const viewport = globe.deck.getViewports()[0];
          return Array.from({ length: globe.n }, (_, i) => {
            const point = pointAt(globe.still, i);
            const [x, y] = viewport.project(point);
            const at = globe.deck.pickObject({ x, y, layerIds: ["earth-both", "fleet-left"] });
            return [behindEarth(point, globe.camera), at?.layer.id === "fleet-left" && at.index === i];
          });
        })()""",
    )
    assert {hidden for hidden, _ in found} == {True, False}
    assert not any(hit for hidden, hit in found if hidden)
    assert sum(hit for hidden, hit in found if not hidden) > 0.8 * sum(not hidden for hidden, _ in found)


def test_a_satellite_says_who_it_is(browser: Chrome):
    told = ask(browser, "globe.tooltip({layer: {id: 'fleet-left'}, index: 9, viewport: {id: 'left'}}).text")
    assert told.startswith("plane 1, slot 1\n")


def test_plots_are_drawn_in_both_themes(browser: Chrome):
    plot = browser.find_element(By.ID, "plot-routers-0")
    browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", plot)
    WebDriverWait(browser, PATIENCE_S).until(lambda d: plot.get_attribute("data-drawn") == "yes")

    def ground() -> float:
        with Image.open(io.BytesIO(browser.get_screenshot_as_png())) as image:
            return float(np.median(np.asarray(image.convert("L"))))

    light = ground()
    browser.find_element(By.ID, "theme").click()
    assert ground() < 60 < 200 < light
    browser.find_element(By.ID, "theme").click()


def test_a_table_sorts_by_the_column_that_is_clicked(browser: Chrome):
    table = browser.find_element(By.CSS_SELECTOR, "#routers table")
    head = table.find_elements(By.CSS_SELECTOR, "th button")[1]
    orders = []
    for _ in range(2):
        browser.execute_script("arguments[0].click()", head)
        cells = table.find_elements(By.CSS_SELECTOR, "tbody td:nth-child(2)")
        orders.append([float(cell.get_attribute("data-value") or "nan") for cell in cells])
    assert orders[0] == sorted(orders[0]) and orders[1] == orders[0][::-1]


def test_a_mode_shows_only_what_belongs_to_it(browser: Chrome):
    def seen(name: str) -> bool:
        return browser.find_element(By.ID, name).is_displayed()

    assert seen("left") and seen("whole") and seen("packet-part") and not seen("unlinked-part")
    browser.execute_script("document.querySelector('input[value=orbits]').click()")
    assert seen("world") and seen("contact-part")
    assert not (
        seen("left") or seen("whole") or seen("packet-part") or seen("load-most") or seen("lost-part")
    )
    browser.execute_script("document.querySelector('input[value=packets]').click()")
    assert not seen("lost-part"), "nothing was lost"


def test_lost_packets_are_told(browser: Chrome):
    ask(browser, "globe.replay('right').delivered[globe.world.present.indexOf(1)] = 0")
    choose(browser, "left", "random")
    assert browser.find_element(By.ID, "lost-part").is_displayed()
    assert browser.find_element(By.ID, "name-right").text.endswith(", 1 lost")
    ask(browser, "globe.replay('right').delivered[globe.world.present.indexOf(1)] = 1")
    choose(browser, "left", "look_ahead_3")


def test_the_wheel_scrolls_the_page_until_the_globe_is_clicked(browser: Chrome):
    zooms = "globe.deck.props.views[0].props.controller.scrollZoom !== false"
    sleep = "document.activeElement.blur()"
    stage = browser.find_element(By.ID, "stage")
    browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", stage)
    browser.execute_script(sleep)
    assert not ask(browser, zooms)
    stage.click()
    assert ask(browser, zooms)
    browser.execute_script(sleep)
    assert not ask(browser, zooms)


def test_names_are_those_of_satellites_that_can_be_seen(browser: Chrome):
    camera, in_front, behind = "[300, 0, 0]", "[110, 0, 0]", "[-110, 0, 0]"
    beside = "[-50, 130, 0]"
    seen = [f"!behindEarth({point}, {camera})" for point in (in_front, behind, beside)]
    assert ask(browser, f"[{', '.join(seen)}]") == [True, False, True]


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Chrome):
    """Loads the page anew: stands last."""
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get_log("browser")
    browser.refresh()
    WebDriverWait(browser, PATIENCE_S).until(lambda d: d.execute_script(READY))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    for plot in browser.find_elements(By.CLASS_NAME, "plot"):
        browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", plot)
        WebDriverWait(browser, PATIENCE_S).until(lambda d, it=plot: it.get_attribute("data-drawn") == "yes")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    assert not [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
