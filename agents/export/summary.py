"""An export in a few words."""

from __future__ import annotations

import hashlib

from agents.export.folder import INT8_MODEL, Exported
from agents.export.onboard import MANIFEST, MODEL


def summary(exported: Exported) -> str:
    """What was written, how it compares with torch, and the hash by which a mission knows it."""
    parity, int8 = exported.parity[MODEL], exported.parity[INT8_MODEL]
    size = {name: (exported.folder / name).stat().st_size / 1000 for name in (MODEL, INT8_MODEL)}
    digest = hashlib.sha256((exported.folder / MANIFEST).read_bytes()).hexdigest()
    return "\n".join(
        (
            f"exported to {exported.folder}",
            f"  {MODEL} ({size[MODEL]:.0f} kB): same actions as torch in all of {parity.decisions} decisions, "
            f"values within {parity.largest_error:.1e}",
            f"  {INT8_MODEL} ({size[INT8_MODEL]:.0f} kB): same actions in {100 * int8.agreement:.2f}%, "
            f"mean delay {100 * exported.int8_extra_delay:+.2f}% when flown",
            f"  manifest SHA-256 {digest}",
        )
    )
