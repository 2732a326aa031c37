"""The plain trainer's state (`agents.trainer.Trainer.state_dict`) of an algorithm, to store and to go on from.

The state says nothing of processes: it may come from one learner and go on with four, on other devices, or in the
plain trainer. `QMIX.get_state` and RLlib's own checkpoints, which are pickles, are for Ray Tune.
"""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.core import DEFAULT_AGENT_ID
from ray.rllib.core.learner.learner import Learner
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    NUM_AGENT_STEPS_SAMPLED_LIFETIME,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    NUM_EPISODES_LIFETIME,
)
from ray.rllib.utils.metrics.metrics_logger import MetricsLogger

from agents.rllib.algorithm import QMIX
from agents.rllib.learner import QMIXTorchLearner
from envs.config import ConfigError

LIFETIME = {
    "episodes": (NUM_EPISODES_LIFETIME,),
    "decisions": (NUM_AGENT_STEPS_SAMPLED_LIFETIME, DEFAULT_AGENT_ID),
    "env_steps": (NUM_ENV_STEPS_SAMPLED_LIFETIME,),
}
"""Counters of the plain trainer (env_steps is RLlib's alone), and where RLlib counts the same."""


def training_state(algorithm: QMIX, *, with_replay: bool) -> dict[str, Any]:
    """All that the rest of the training depends on, as tensors and plain values.

    There is no other random state: worlds and exploration follow from `seed` and the number of the rollout
    (`agents.trainer.play_rollout`), and so do epsilon and the learning rate. Without the replay (hundreds of
    megabytes) a resumed run fills a new one first, and so differs. Tensors may be the algorithm's own: store or copy
    them before the next iteration.
    """
    learned = _learners_states(algorithm)[0]
    lifetime = {
        name: int(algorithm.metrics.peek((ENV_RUNNER_RESULTS, *key), default=0))
        for name, key in LIFETIME.items()
    }
    return {
        "model": learned["model"],
        "optimizer": learned["optimizer"],
        "sampling": algorithm.sampling.get_state(),
        "counters": {"iterations": algorithm.rollout, **lifetime, "updates": learned["updates"]},
        "seed": algorithm.config.run_seed,
        "replay": algorithm.replay.state_dict() if with_replay else None,
    }


def load_training_state(algorithm: QMIX, state: dict[str, Any]) -> None:
    """Continue where `training_state` was taken, whatever processes the algorithm has.

    Raises ConfigError when the state belongs to another seed or other networks, before anything has changed.
    """
    _require_same_networks(_learners_states(algorithm)[0]["model"], state["model"])
    if state["seed"] != algorithm.config.run_seed:
        raise ConfigError(
            f"training.seed={algorithm.config.run_seed} is not possible: the checkpoint is of a run with the seed "
            f"{state['seed']}, which it keeps"
        )
    counters = state["counters"]
    learned = {"model": state["model"], "optimizer": state["optimizer"], "updates": counters["updates"]}
    _on_learners(algorithm, lambda learner: learner.load_training_state(learned))
    algorithm.rollout = algorithm._iteration = counters["iterations"]
    algorithm.sampling.set_state(state["sampling"])
    if state["replay"] is None:
        algorithm.replay.clear()
    else:
        algorithm.replay.load_state_dict(state["replay"])
    _count_again(algorithm, counters)
    algorithm.hand_out_weights()


def _count_again(algorithm: QMIX, counters: dict[str, int]) -> None:
    """Report what was played before, as an env runner would have, so that lifetime counters go on from there."""
    played = MetricsLogger(root=False)
    for name, key in LIFETIME.items():
        played.log_value(
            key,
            counters[name],
            reduce="lifetime_sum",
            with_throughput=key == (NUM_ENV_STEPS_SAMPLED_LIFETIME,),
        )
    algorithm.metrics.reset()
    algorithm.metrics.aggregate([played.reduce()], key=ENV_RUNNER_RESULTS)


def _require_same_networks(now: dict[str, torch.Tensor], saved: dict[str, torch.Tensor]) -> None:
    shapes, saved_shapes = ({name: tuple(t.shape) for name, t in model.items()} for model in (now, saved))
    different = sorted(
        name for name in shapes.keys() | saved_shapes.keys() if shapes.get(name) != saved_shapes.get(name)
    )
    if different:
        name = different[0]
        raise ConfigError(
            f"the checkpoint is of other networks: {name} is {saved_shapes.get(name, 'missing')} there and "
            f"{shapes.get(name, 'missing')} here ({len(different)} differ): set algorithm.utility and "
            "algorithm.mixer as they were, or start a new run"
        )


def _learners_states(algorithm: QMIX) -> list[dict[str, Any]]:
    return _on_learners(algorithm, lambda learner: learner.training_state())


def _on_learners(algorithm: QMIX, function: Any) -> list[Any]:
    """What `function` returns on each learner; raises what it raises on any."""

    def call(learner: Learner, *_: object) -> Any:
        assert isinstance(learner, QMIXTorchLearner)
        return function(learner)

    answers = [answer.get() for answer in algorithm.learner_group.foreach_learner(call)]
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
