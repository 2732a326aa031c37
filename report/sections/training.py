"""How the policy was trained, from the log that its folder keeps."""

from __future__ import annotations

from agents.run.curves import PANELS
from agents.run.metrics_file import ITERATION, read_metrics
from report.plots import lines
from report.results import Results
from report.section import Plot, Section, Table

LOGS = ("metrics.csv", "training_log.csv")
"""Names of the log: in the folder of a run, and in that of a policy which comes with LEOMix."""
BEST_BY = "validation_delay_s"
"""The metric that chose the policy: the smallest wins."""


def training_section(results: Results) -> Section | None:
    """Curves of the run that the policy comes from; None without a run or its log."""
    logs = [results.run / name for name in LOGS if (results.run / name).is_file()] if results.run else []
    rows = read_metrics(logs[0]) if logs else []
    if not rows:
        return None
    plots = []
    for metric, label in PANELS.items():
        points = [(row[ITERATION], row[metric]) for row in rows if metric in row]
        if points:
            x, y = zip(*points, strict=True)
            made = lines(
                {metric: {"x": x, "y": y}}, x=ITERATION, y=label, height=280, markers=len(points) < 40
            )
            made.legend.visible = False
            plots.append(Plot(label[0].upper() + label[1:], made))
    return Section("training", "Training", _words(rows), (_ends(rows),), tuple(plots))


def _words(rows: list[dict[str, float]]) -> tuple[str, ...]:
    last = rows[-1]
    words = [f"The log has {len(rows)} rows up to iteration {int(last[ITERATION])}."]
    if "decisions" in last:
        words.append(f"The policy was trained on {last['decisions'] / 1e6:.2f} million decisions.")
    validated = [row for row in rows if BEST_BY in row]
    if validated:
        best = min(validated, key=lambda row: row[BEST_BY])
        words.append(
            f"The best of {len(validated)} looks at the validation worlds came after iteration {int(best[ITERATION])}: "
            f"a mean delay of {best[BEST_BY]:.3f} s"
            + (f", {best['validation_ratio']:.3f} times best response" if "validation_ratio" in best else "")
            + (
                f", {100 * best['validation_delivery']:.2f}% delivered"
                if "validation_delivery" in best
                else ""
            )
            + ". That policy was kept."
        )
    return (" ".join(words),)


def _ends(rows: list[dict[str, float]]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row if name != ITERATION))
    table = []
    for name in names:
        points = [row[name] for row in rows if name in row]
        table.append(
            {
                "metric": name.replace("_", " "),
                "first": points[0],
                "smallest": min(points),
                "largest": max(points),
                "last": points[-1],
            }
        )
    return Table.of("Every metric of the log", table, folded=True)
