"""What offloading gains: the experiments of BS-MARL, when `experiment=bs_marl` was run for this policy."""

from __future__ import annotations

from report.results import Results
from report.section import Section, Table
from report.sections.curves import Curves, plots_of

FILE = "bs_marl/bs_marl.json"
SPECS = {
    "fig3_data_volume": [
        Curves(
            "Service delay by data volume of a task (Fig. 3)",
            "data_volume_Mbit",
            "delay_s",
            "scheme",
            "data volume, Mbit",
            "mean service delay, s",
            from_zero=True,
            low="low_s",
            high="high_s",
        )
    ],
    "fig4_computing": [
        Curves(
            "Service delay by computing capacity (Fig. 4)",
            "computing_TOPS",
            "delay_s",
            "scheme",
            "computing capacity, TOPS",
            "mean service delay, s",
            log_x=True,
            from_zero=True,
            low="low_s",
            high="high_s",
        ),
        Curves(
            "Allocation ratio by computing capacity",
            "computing_TOPS",
            "ratio",
            "scheme",
            "computing capacity, TOPS",
            "share of frames that are offloaded",
            log_x=True,
        ),
    ],
    "fig5_search": [
        Curves(
            "The search (Fig. 5): how long one branch waits for the other",
            "iteration",
            "idle_s",
            "search",
            "routing, and what is returned",
            "mean over tasks, s",
            low="idle_s_low",
            high="idle_s_high",
        )
    ],
    "fig6_training": [
        Curves(
            "Training (Fig. 6): delay of a packet on validation worlds",
            "iteration",
            "mean",
            "run",
            "iteration",
            "mean delay, s",
            low="low",
            high="high",
            where={"metric": "validation_delay_s"},
        )
    ],
}
TITLES = {
    "reductions": "Delay saved against each benchmark, over all points of Figs. 3 and 4",
    "search": "Ways to search for the ratio",
    "schemes_by_router": "Every scheme with every router",
    "fig3_data_volume": "Fig. 3 in numbers",
    "fig4_computing": "Fig. 4 in numbers",
    "fig5_search": "Fig. 5 in numbers",
}


def bs_marl_section(results: Results) -> Section | None:
    """Figs. 3 to 6 and the tables beside them; None where the experiment was not run."""
    stored = results.stored(FILE)
    if stored is None:
        return None
    tables = stored["results"]
    return Section(
        "bs_marl",
        "Offloading (BS-MARL)",
        words=(
            f"{stored['headline']} {results.elsewhere(stored)}".strip(),
            f"Measured on {stored['n_worlds']} worlds, packets routed by {stored['router']}. {results.origin(FILE)}",
        ),
        tables=tuple(
            Table.of(title, tables[name], folded=name != "reductions")
            for name, title in TITLES.items()
            if tables.get(name)
        ),
        plots=plots_of(SPECS, tables),
    )
