"""The whole evaluation: Figs. 2 to 4 and 9 to 12 over several seeds, and the paper's two headline numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from models.compressors import Compressor
from models.delivery import TRUTH, Delivery, pixels_of_boxes
from models.experiments.ablation import gates_table
from models.experiments.compression import choose_for_seeds, compression_tables
from models.experiments.config import SpaceVerseConfig
from models.experiments.deferral import volume_tables
from models.experiments.devices import TIMED, devices_table, workload_here
from models.experiments.motivation import contact_table, ground_only_table, models_table, redundancy_table
from models.experiments.overall import headline_table, methods_tables
from models.experiments.runs import Draws, run_seed
from models.experiments.table import Table
from models.interface import Encoder, VisionLanguageModel
from models.methods import all_methods
from models.sample import SampleError, Task
from models.sources import load_encoder, load_model
from models.timing import THIS_MACHINE

FOLDER = "spaceverse"
"""Where the results go, in the folder of the run."""
MOST_LISTED = 200  # unusable samples that are named


def run(
    config: SpaceVerseConfig,
    small: VisionLanguageModel,
    large: VisionLanguageModel,
    *,
    encoder: Encoder | None = None,
    say: Callable[[str], None] = print,
) -> Iterator[Table]:
    """Yield every table as soon as it is measured. `encoder` None: attention from the small model itself.

    Raises ValueError (LinkError, DatasetError) before long work when a file or a setting is not possible; a bad sample
    costs only itself and is named in the table "left_out".
    """
    say("contact windows and data")
    downlinks = config.contact_downlinks()
    draws = Draws(config)
    workload = config.workload(config.data, small, large, draws.draw(config.seeds[0])[1][:TIMED])
    delivery = Delivery(large, encoder, TRUTH.get(config.data, pixels_of_boxes))
    runs, errors = [], list(draws.errors)
    for seed in config.seeds:
        say(f"seed {seed}: samples, both models, gates")
        seeded, more = run_seed(draws, seed, small, large, all_methods(workload))
        runs.append(seeded)
        errors += more
    number = config.compression_samples
    say("Figs. 2 to 4")
    yield models_table(runs, workload)
    yield redundancy_table(runs, delivery, number)
    yield contact_table(config.station)
    yield ground_only_table(runs, workload)
    say("Figs. 10 and 11")
    yield from volume_tables(runs)
    yield gates_table(runs, workload)
    say("choosing the compression on the training samples that would be sent")
    chosen = choose_for_seeds(runs, delivery, config)
    say("Fig. 9")
    measured = config.onboard == config.ground == THIS_MACHINE
    here = workload if measured else workload_here(workload, runs, small, large)
    yield devices_table(runs, workload, here)
    compressors: dict[Task, Sequence[Compressor]] = {
        task: [choice.compressor for choice in choices] for task, choices in chosen.items()
    }
    fig9 = methods_tables(
        runs, delivery, config, workload, compressors, downlinks, None if measured else here
    )
    yield from fig9
    say("Fig. 12")
    yield from compression_tables(runs, delivery, config, chosen)
    yield headline_table(fig9[0])
    yield from left_out(errors)


def left_out(errors: list[SampleError]) -> list[Table]:
    """The samples that could not be used, each with its reason; no table when there is none."""
    if not errors:
        return []
    reasons = list(dict.fromkeys(str(error) for error in errors))
    return [
        Table(
            "left_out",
            f"{len(reasons)} samples could not be used",
            f"the first {MOST_LISTED} are listed" if len(reasons) > MOST_LISTED else "all are listed",
            [{"sample_and_reason": reason} for reason in reasons[:MOST_LISTED]],
        )
    ]


def measure_spaceverse(config: SpaceVerseConfig, say: Callable[[str], None]) -> Iterator[Table]:
    """`run` with the models, the data and the encoder that the settings name.

    Raises ModelUnavailable, DatasetError or ValueError (LinkError) when one of them cannot be had.
    """
    small, large = load_model(config.small), load_model(config.large)
    encoder = load_encoder(config.attention, config.clip_weights)
    yield from run(config, small, large, encoder=encoder, say=say)
