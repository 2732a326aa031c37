"""The plain training loop: play, remember, learn, let the targets follow. All else is in other files."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.collect import QFunction, collect_episodes
from agents.config import AlgorithmConfig
from agents.episodes import Batch, Episodes
from agents.protocol import BatchedEnvironment, EnvironmentSpec
from agents.qmix import QMIXModel
from agents.replay import Replay


class Trainer:
    """Trains a QMIX model on a batched environment for `config.iterations` iterations; reproducible from
    `seed`.

    environment: plays `config.worlds_per_rollout` worlds; may live on another device than the learner.
    device: of the networks and of the replay.
    """

    def __init__(
        self,
        environment: BatchedEnvironment[Any],
        config: AlgorithmConfig,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        if environment.n_worlds != config.worlds_per_rollout:
            raise ValueError(
                f"the environment plays {environment.n_worlds} worlds, algorithm.worlds_per_rollout="
                f"{config.worlds_per_rollout}: make them equal"
            )
        self.environment, self.config, self.seed = environment, config, seed
        self.device = torch.device(device)
        self.model = seeded_model(EnvironmentSpec.of(environment), config, seed).to(self.device)
        self.optimizer = torch.optim.Adam(self.model.online_parameters(), lr=config.learning_rate)
        self.replay = Replay(config.replay_episodes, self.device)
        self.sampling = torch.Generator().manual_seed(seed)
        self.counters: dict[str, int] = dict.fromkeys(("iterations", "episodes", "decisions", "updates"), 0)

    @property
    def progress(self) -> float:
        """Share of the training that is done."""
        return min(1.0, self.counters["iterations"] / self.config.iterations)

    def iterate(self) -> dict[str, float]:
        """A rollout, then gradient steps on replayed episodes; returns what is worth plotting."""
        config = self.config
        epsilon, learning_rate = config.epsilon(self.progress), config.learning_rate_at(self.progress)

        episodes = self.play(epsilon)
        self.replay.add(episodes)
        losses: list[dict[str, Tensor]] = []
        if len(self.replay) >= config.warmup_episodes:
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate
            for _ in range(config.updates_per_rollout):
                batch = self.replay.sample(config.batch_episodes, self.sampling)
                losses.append(gradient_step(self.model, self.optimizer, batch, config))
                self.model.update_targets(config.target_tau)

        self.counters["iterations"] += 1
        self.counters["episodes"] += len(episodes)
        self.counters["decisions"] += episodes.n_decisions()
        self.counters["updates"] += len(losses)
        metrics = {"epsilon": epsilon, "learning_rate": learning_rate, **self.counters, **summarise(episodes)}
        for name in losses[0] if losses else ():
            metrics[name] = torch.stack([loss[name] for loss in losses]).mean().item()
        return metrics

    def play(self, epsilon: float) -> Episodes:
        """The next rollout, explored at the mean rate `epsilon`."""
        return play_rollout(
            self.environment,
            self.q_values,
            seed=self.seed,
            rollout=self.counters["iterations"],
            epsilon=epsilon,
        )

    def q_values(self, observation: Tensor) -> Tensor:
        """observation [N, F] -> Q [N, A] of the current network, both on the environment's device."""
        return self.model(observation.to(self.device)).to(observation.device)

    def state_dict(self, *, with_replay: bool = True) -> dict[str, Any]:
        """All that the rest of the training depends on, as tensors and plain values. `train.py` stores the same of
        an algorithm under RLlib (agents/rllib/resume.py).

        Without the replay (hundreds of megabytes) a resumed run fills a new one first, and so differs.
        """
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "sampling": self.sampling.get_state(),
            "counters": dict(self.counters),
            "seed": self.seed,
            "replay": self.replay.state_dict() if with_replay else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken; raises when the networks do not match key by key."""
        self.model.load_state_dict(state["model"], strict=True)
        self.optimizer.load_state_dict(state["optimizer"])
        self.sampling.set_state(state["sampling"].cpu())
        self.counters = {name: state["counters"][name] for name in self.counters}
        self.seed = state["seed"]
        if state["replay"] is None:
            self.replay.clear()
        else:
            self.replay.load_state_dict(state["replay"])


def gradient_step(
    model: QMIXModel, optimizer: torch.optim.Optimizer, batch: Batch, config: AlgorithmConfig
) -> dict[str, Tensor]:
    """One update of the online networks; returns the loss's metrics and the gradient's norm, detached."""
    losses = model.loss(batch)
    optimizer.zero_grad()
    losses["loss"].backward()
    norm = torch.nn.utils.clip_grad_norm_(model.online_parameters(), config.gradient_clip)
    optimizer.step()
    return {name: value.detach() for name, value in losses.items()} | {"gradient_norm": norm}


def seeded_model(spec: EnvironmentSpec, config: AlgorithmConfig, seed: int) -> QMIXModel:
    """A new model whose initial weights depend on `seed` alone; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return QMIXModel(spec, config)


def play_rollout(
    environment: BatchedEnvironment[Any],
    q_function: QFunction,
    *,
    seed: int,
    rollout: int,
    epsilon: float,
    part: int = 0,
    parts: int = 1,
) -> Episodes:
    """Rollout number `rollout` of the run with `seed`, explored at the mean rate `epsilon`.

    Worlds and exploration follow from the two numbers alone (each from a stream of its own), so that nobody who
    plays has a random state to keep.

    part, parts: where several share the rollout's worlds, E each, this is part number 0 .. parts - 1 of them. All
        parts in their order are the rollout that one player would have played, up to rounding.
    """
    worlds = rollout_seed(seed, rollout)
    exploration = torch.Generator(environment.device).manual_seed(~worlds)
    return collect_episodes(
        environment,
        q_function,
        seed=worlds,
        first=part * environment.n_worlds,
        of=parts * environment.n_worlds,
        epsilon=epsilon,
        generator=exploration,
    )


def rollout_seed(seed: int, rollout: int) -> int:
    """Seed of the worlds of one rollout; those of different runs do not meet within a million rollouts."""
    return seed * 1_000_000 + rollout


def summarise(episodes: Episodes) -> dict[str, float]:
    """What the learner can say of a rollout without knowing the game."""
    returns = episodes.returns()
    return {
        "return": returns.mean().item(),
        "return_std": returns.std(correction=0).item(),
        "episode_steps": episodes.length.float().mean().item(),
        "truncated": episodes.truncated.float().mean().item(),
    }
