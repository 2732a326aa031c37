"""The sections of the report, in their order on the page.

A new one is a file with a function from `Results` to a `Section`, or to None when there is nothing to show, and a line
here.
"""

from __future__ import annotations

from collections.abc import Callable

from report.results import Results
from report.section import Section
from report.sections.bs_marl import bs_marl_section
from report.sections.export import export_section
from report.sections.joint import joint_section
from report.sections.routers import routers_section
from report.sections.spaceverse import spaceverse_section
from report.sections.training import training_section

SECTIONS: tuple[Callable[[Results], Section | None], ...] = (
    routers_section,
    bs_marl_section,
    joint_section,
    spaceverse_section,
    training_section,
    export_section,
)
