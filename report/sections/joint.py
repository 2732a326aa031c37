"""One system: routing, gate and compressor together, when `experiment=joint` was run for this policy."""

from __future__ import annotations

from report.results import Results
from report.section import Section, Table

FILES = ("joint/joint.json", "joint.json")


def joint_section(results: Results) -> Section | None:
    """The headline and every stored table; None where the experiment was not run."""
    stored = results.stored(*FILES)
    if stored is None:
        return None
    headline = stored.get("headline")
    return Section(
        "joint",
        "Routing and vision together",
        words=(headline,) if isinstance(headline, str) else (),
        tables=tuple(
            Table.of(name.replace("_", " "), rows, folded=i > 0)
            for i, (name, rows) in enumerate(stored.get("results", {}).items())
            if rows
        ),
    )
