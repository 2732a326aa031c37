"""The page without a browser: it is one file, its parts can be read back, its words follow from its numbers."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from agents.evaluation import Interval
from agents.evaluation.compare import REFERENCE
from envs.config import ConfigError
from report.config import GlobeConfig, Station
from report.encode import pack_json, plain
from report.results import Results
from report.section import Table, text_of
from report.sections.routers import LOCAL, against, routers_section
from report.write import REPORT_FILE, write_report


class Page(HTMLParser):
    """Elements with their attributes, and the text of scripts by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self._script: str | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._script = dict(attrs).get("id") if tag == "script" else None

    def handle_endtag(self, tag):
        self._script = None

    def handle_data(self, data):
        if self._script:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data


@pytest.fixture(scope="module")
def text(results: Results) -> str:
    path = write_report(results)
    assert path == results.folder / REPORT_FILE
    return path.read_text("utf-8")


def unpack(packed: str):
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def test_the_page_says_how_much_there_is_to_win(text: str, results: Results):
    locals_ = [
        one for one in results.comparison.results if one.router in LOCAL and one.router != results.subject
    ]
    best = min(locals_, key=lambda one: one.mean_delay_s)
    won = 100 * (1 - results.comparison[REFERENCE].mean_delay_s / best.mean_delay_s)
    assert f"{REFERENCE} takes {won:.1f}% less than {best.router}" in text


def test_the_page_needs_nothing_but_itself(text: str):
    links = [
        value
        for _, attributes in Page(text).elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster") and value
    ]
    assert links and all(link.startswith(("#", "data:")) for link in links)
    assert "@import" not in text and "url(" not in text.split("</style>")[0]
    assert len(text) < 5e6


def test_every_experiment_in_the_folder_has_its_section(text: str):
    sections = {
        attributes["id"] for tag, attributes in Page(text).elements if tag == "section" and "id" in attributes
    }
    assert sections == {"globe", "routers", "bs_marl", "joint", "spaceverse", "training", "export", "origin"}
    for words in (
        "bs_marl reduces mean service delay by up to 25.0%",
        "models.policy.onnx.opset",
        "models.policy.onnx.inputs[0].shape.rows",
        "index: 0; name: up; unit: 1 s",
        "exported as policy.onnx (float32; 81 kB). It decides from 2 features, two.",
        "Of 400 decisions it takes the same as torch: policy.onnx in 99.75%.",
        "12 test worlds",
        "The gate lets the service delay fall by 9%.",
        "What one should know &lt; the rest.",
        "accuracy ±95%",
    ):
        assert words in text, words


def test_an_experiment_that_was_not_run_has_none(results: Results, tmp_path):
    text = write_report(replace(results, folder=tmp_path, run=None)).read_text("utf-8")
    sections = {attributes.get("id") for tag, attributes in Page(text).elements if tag == "section"}
    assert sections == {None, "globe", "routers", "origin"}


def test_the_scene_in_the_page_is_the_scene(text: str, results: Results):
    scene = unpack(Page(text).scripts["scene"])
    assert scene["left"] == "look_ahead_3" and scene["right"] == "dijkstra"
    assert len(scene["worlds"]) == 2 and set(scene["worlds"][0]["replays"]) == set(scene["routers"])
    stored = scene["worlds"][0]["source"]
    source = np.frombuffer(base64.b64decode(stored["base64"]), stored["dtype"])
    assert source.tolist() in results.episodes.worlds.source.tolist()


def test_every_plot_in_the_page_has_a_place(text: str):
    page = Page(text)
    places = {attributes["id"] for _, attributes in page.elements if attributes.get("class") == "plot"}
    assert set(unpack(page.scripts["plots"])) == places


def test_the_same_evaluation_makes_the_same_payload(results: Results):
    page = [Page(write_report(results).read_text("utf-8")).scripts["scene"] for _ in range(2)]
    assert page[0] == page[1]


def test_text_from_outside_stays_text(results: Results):
    evil = "<script>alert(1)</script>"
    settings = {"name": evil}
    text = write_report(replace(results, settings=settings)).read_text("utf-8")
    assert evil not in text and "&lt;script&gt;alert" in text
    station = GlobeConfig(stations=(Station("</script>", 0.0, 0.0),), worlds=1, contact_hours=0.1)
    text = write_report(replace(results, globe=station)).read_text("utf-8")
    assert len(Page(text).scripts) == 3


@pytest.mark.parametrize("array", [np.arange(6, dtype=np.int16).reshape(2, 3), np.array([1.5], np.float32)])
def test_arrays_are_read_back_as_they_were(array: np.ndarray):
    stored = unpack(pack_json({"a": array}))["a"]
    back = np.frombuffer(base64.b64decode(stored["base64"]), stored["dtype"]).reshape(stored["shape"])
    np.testing.assert_array_equal(back, array)


def test_what_a_page_cannot_read_is_refused():
    with pytest.raises(TypeError, match="float64"):
        plain(np.zeros(2))
    with pytest.raises(ValueError, match="JSON"):
        pack_json({"value": float("nan")})


@pytest.mark.parametrize(
    ("ratio", "interval", "words"),
    [
        (0.7, Interval(0.68, 0.72), "30.0% less than that of x (95% interval 28.0 to 32.0%)"),
        (1.05, Interval(1.04, 1.06), "5.0% more than that of x (95% interval 4.0 to 6.0%)"),
        (
            0.99,
            Interval(0.97, 1.01),
            "not significantly different from that of x (-1.0%, 95% interval -3.0 to +1.0%)",
        ),
    ],
)
def test_words_are_as_sure_as_the_interval(ratio: float, interval: Interval, words: str):
    assert against(ratio, interval, "x") == words


def test_undelivered_packets_are_named(results: Results):
    text = write_report(replace(results, globe=replace(results.globe, left="random"))).read_text("utf-8")
    lost = results.comparison["random"].undelivered
    assert lost > 0 and f"Undelivered: {lost} of {results.comparison.n_packets} packets" in text
    assert (
        "This flatters" in text and "(losses charged)" in text and "environment.dead_ends=whole_way" in text
    )


def test_a_router_that_loses_packets_is_not_praised(results: Results):
    def with_losses(router: str, lost: int) -> Results:
        comparison = results.comparison
        changed = tuple(
            replace(one, undelivered=lost) if one.router == router else one for one in comparison.results
        )
        return replace(results, comparison=replace(comparison, results=changed))

    subject, n = results.subject, results.comparison.n_packets
    for lost, mood in ((0, "better"), (n // 4, "")):
        tiles = routers_section(with_losses(subject, lost)).tiles
        assert next(tile.mood for tile in tiles if tile.label == "delay against dijkstra") == mood
    rule = min(
        (one for one in results.comparison.results if one.router in LOCAL and one.router != subject),
        key=lambda one: one.mean_delay_s,
    )
    for lost, said in ((0, True), (n // 4, False)):
        words = " ".join(routers_section(with_losses(rule.router, lost)).words)
        assert ("known to be there to win" in words) is said


def test_intervals_from_few_worlds_are_doubted(results: Results):
    def words(n_worlds: int) -> str:
        comparison = replace(results.comparison, n_worlds=n_worlds)
        return " ".join(routers_section(replace(results, comparison=comparison)).words)

    assert "Intervals from 12 worlds are too narrow" in words(12)
    assert "too narrow" not in words(100)


def test_an_experiment_of_another_scenario_says_so(results: Results):
    here = json.loads(json.dumps(results.settings))
    assert results.elsewhere({"config": here}) == results.elsewhere({}) == ""
    as_told = {"constellation": {"kind": "walker"}, "link": {"model": "eb_n0"}}
    as_told = {group: words | here[group] for group, words in as_told.items()}
    assert results.elsewhere({"config": here | as_told}) == "", (
        "the words that say which class are not settings"
    )
    there = here | {"constellation": {"kind": "tle", "name": "tle", "file": "/data/fleet.tle"}, "task": {}}
    assert results.elsewhere({"config": there}) == (
        "This was measured in another scenario, on fleet: constellation and task differ."
    )


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        ([4.486, 6.5, 38.7771], ["4.486", "6.500", "38.777"]),
        ([100.0, 99.7512, None], ["100.00", "99.75", "–"]),
        ([300.0, 600.0], ["300", "600"]),
        ([0.1, 12345.678], ["0.1", "12346"]),
        ([1e-6, 2.5], ["1e-06", "2.5"]),
        ([3, 12], ["3", "12"]),
    ],
)
def test_a_column_has_as_many_digits_in_every_row(column, shown):
    assert [row[0] for row in Table.of("t", [{"a": value} for value in column]).text] == shown


def test_cells_and_columns():
    table = Table.of("t", [{"a": "x", "b": 1.23456}, {"a": "y", "b": None}], highlight="x")
    assert table.numeric == (False, True)
    assert [text_of(value) for value in (1.23456, 19325.4, 12, None, True, "z")] == [
        "1.235",
        "19325",
        "12",
        "–",
        "yes",
        "z",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"worlds": 0}, "globe.worlds=0"),
        ({"mask_deg": 90.0}, "globe.mask_deg"),
        ({"contact_hours": 0.0}, "globe.contact_hours"),
        ({"stations": (Station("a", 0, 0), Station("a", 1, 1))}, "globe.stations"),
    ],
)
def test_impossible_settings_are_refused(change, words: str):
    with pytest.raises(ConfigError, match=words):
        GlobeConfig(**change)
    with pytest.raises(ConfigError, match="latitude_deg"):
        Station("nowhere", 91.0, 0.0)
    with pytest.raises(ConfigError, match=r"globe\.right='nobody'"):
        GlobeConfig(right="nobody").check_routers(("dijkstra",))
