"""The study of the learner's parts: its variants can all be built, and its table says what was kept."""

from rich.console import Console

from agents.study import Outcome
from benchmarks.ablation import VALUES, Variant, all_combinations, one_at_a_time, table


def test_every_variant_is_a_possible_trial_of_its_own() -> None:
    variants = [variant for variant in one_at_a_time() if variant.is_possible]
    names = [variant.trial(0, 5).name for variant in variants]
    assert len(set(names)) == len(names)
    for part, values in VALUES.items():
        assert {getattr(variant, part) for variant in variants} == set(values)
    everything = {variant for variant in all_combinations() if variant.is_possible}
    assert set(variants) <= everything


def test_the_table_is_best_first_and_compares_seed_by_seed() -> None:
    default, vdn = Variant(), Variant(mixer="vdn")
    outcomes = {
        vdn: {seed: Outcome(5.0, 1.05 + seed / 100, 1.0, 80) for seed in (0, 1)},
        default: {seed: Outcome(5.0, 1.04 + seed / 100, 0.999, 90) for seed in (0, 1)},
    }
    console = Console(width=120, record=True, quiet=True)
    console.quiet = False
    with console.capture() as captured:
        console.print(table(outcomes, 100))
    text = captured.get()
    assert text.index("default (") < text.index("mixer: vdn")
    assert "+0.0100 ±0.0000" in text
