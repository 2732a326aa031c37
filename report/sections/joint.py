"""One system: routing, gate and compressor together, when `experiment=joint` was run for this policy."""

from __future__ import annotations

from report.results import Results
from report.section import Plot, Section, Table
from report.sections.curves import Curves, Rows

FILE = "joint/joint.json"
TITLES = {
    "schemes": "BS-MARL with real frames",
    "places": "SpaceVerse by the place of its large model",
    "models_alone": "Either model alone on the frames of the tasks",
}
COLUMNS = {
    "schemes": {
        "task": "frames",
        "pixels": "pixels",
        "required": "required",
        "scheme": "scheme",
        "delay_s": "delay, s",
        "low_s": "from",
        "high_s": "to",
        "saved_equal_%": "saved at equal accuracy, %",
        "ratio": "offloaded share",
        "data_Mbit": "data, Mbit",
        "measured": "measured",
        "tasks_met_%": "tasks that met it, %",
    },
    "places": {
        "task": "frames",
        "pixels": "pixels",
        "required": "required",
        "place": "place",
        "router": "router",
        "delay_s": "delay, s",
        "low_s": "from",
        "high_s": "to",
        "p95_s": "P95, s",
        "data_way_s": "way of the data, s",
        "ratio": "offloaded share",
        "measured": "measured",
    },
}
"""What a reader needs of the widest tables; the CSV files have the rest."""


def joint_section(results: Results) -> Section | None:
    """The headline and every stored table; None where the experiment was not run."""
    stored = results.stored(FILE)
    if stored is None:
        return None
    tables = stored["results"]
    first, *more = stored["headline"].splitlines()
    names = [*(name for name in TITLES if name in tables), *(name for name in tables if name not in TITLES)]
    return Section(
        "joint",
        "Routing and vision together",
        words=(
            f"{first} {results.elsewhere(stored)}".strip(),
            *more,
            f"Measured on {stored['n_worlds']} worlds, packets routed by {stored['router']}. Seconds of the models are "
            f"estimates (docs/vision.md). {results.origin(FILE)}",
        ),
        tables=tuple(
            Table.of(
                TITLES[name] if name in TITLES else name.replace("_", " "),
                tables[name],
                COLUMNS.get(name),
                folded=name != "places",  # the schemes are in the plots
            )
            for name in names
            if tables[name]
        ),
        plots=_plots(tables.get("schemes", ())),
    )


def _plots(rows: Rows) -> tuple[Plot, ...]:
    """Delay by measured accuracy, for each kind and size of frames."""
    made = []
    for task, pixels in dict.fromkeys((row["task"], row["pixels"]) for row in rows):
        side = round(pixels**0.5)
        curves = Curves(
            f"{task[0].upper()}{task[1:]}: service delay by measured accuracy, frames of {side} x {side} px",
            "measured",
            "delay_s",
            "scheme",
            "measured accuracy of whole tasks",
            "mean service delay, s",
            low="low_s",
            high="high_s",
            where={"task": task, "pixels": pixels},
            from_zero=True,
            words="A dot for each requirement that can be met, its delay with the 95% interval over worlds; "
            "to the right and below is better.",
        )
        made.append(curves.plot(rows))
    return tuple(plot for plot in made if plot is not None)
