"""What the algorithm does with env runners that die, without Ray: runners in this process, some of them mortal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from agents.cluster import WorkerLost
from agents.rllib import QMIX, QMIXConfig
from agents.rllib import algorithm as module
from agents.rllib.algorithm import MOST_LOSSES
from agents.rllib.env_runner import BatchedEnvRunner
from tests.agents.rllib.signals import make_broken
from tests.agents.rllib.weights import assert_equal, learned_weights


class RunnersHere:
    """Stands for RLlib's group of remote env runners: `dies(number of the call, runner)` says who dies, and when.

    A runner that died is back after `returns_after` calls; None: never. raising: as without restarts.
    """

    def __init__(
        self, config: QMIXConfig, *, dies=lambda call, runner: False, returns_after=1, raising=False
    ) -> None:
        self.runners = {
            index: BatchedEnvRunner(config=config, worker_index=index)
            for index in range(1, config.num_env_runners + 1)
        }
        self.dies, self.returns_after, self.raising = dies, returns_after, raising
        self.local_env_runner: BatchedEnvRunner | None = None
        self.dead: dict[int, int] = {}
        self.calls = self.probes = 0

    def num_remote_env_runners(self) -> int:
        return len(self.runners)

    def healthy_env_runner_ids(self) -> list[int]:
        return [index for index in self.runners if index not in self.dead]

    def probe_unhealthy_env_runners(self) -> list[int]:
        self.probes += 1
        back = [
            index
            for index, since in self.dead.items()
            if self.returns_after is not None and self.calls + self.probes - since > self.returns_after
        ]
        for index in back:
            del self.dead[index]
        return back

    def foreach_env_runner(self, functions: list, *, remote_worker_ids: list[int], **options: Any) -> list:
        self.calls += 1
        answers = []
        for function, index in zip(functions, remote_worker_ids, strict=True):
            if self.dies(self.calls, index):
                self.dead[index] = self.calls + self.probes
                if self.raising:
                    raise ActorDiedError()
            else:
                answers.append(function(self.runners[index]))
        return answers[::-1]  # in any order

    def stop(self) -> None:
        pass


@pytest.fixture
def four_runners(config: QMIXConfig, monkeypatch: pytest.MonkeyPatch):
    """Builds an algorithm that plays on four runners in this process, which behave as told."""
    monkeypatch.setattr(module, "ray", SimpleNamespace(put=lambda value: value))

    def build(make=None, **behaviour: Any) -> tuple[QMIX, RunnersHere]:
        algorithm = config.copy().build_algo()
        assert isinstance(algorithm, QMIX)
        distributed = config.copy().env_runners(num_env_runners=4)
        runners = RunnersHere(distributed.environment(make) if make else distributed, **behaviour)
        runners.local_env_runner = algorithm.env_runner
        algorithm.env_runner_group = runners  # type: ignore[assignment]
        return algorithm, runners

    return build


def weights_after(algorithm: QMIX, iterations: int = 4):
    for _ in range(iterations):
        algorithm.training_step()
    return learned_weights(algorithm)[0]


@pytest.fixture
def undisturbed(config: QMIXConfig, build):
    """What one process learns."""
    return weights_after(build(config.copy()))


def test_several_runners_learn_what_one_process_learns(four_runners, undisturbed) -> None:
    algorithm, _ = four_runners()
    assert_equal(weights_after(algorithm), undisturbed)


@pytest.mark.parametrize("returns_after", [0, 3, None])
def test_lost_runners_change_nothing(four_runners, undisturbed, returns_after) -> None:
    algorithm, runners = four_runners(
        dies=lambda call, runner: (call, runner) in {(1, 2), (3, 1), (3, 3)}, returns_after=returns_after
    )
    assert_equal(weights_after(algorithm), undisturbed)
    assert runners.calls > 4


def test_when_all_are_lost_one_is_waited_for(four_runners, undisturbed) -> None:
    algorithm, runners = four_runners(dies=lambda call, runner: call == 2, returns_after=5)
    assert_equal(weights_after(algorithm), undisturbed)
    assert runners.probes > 0


def test_when_none_comes_back_the_run_ends_with_a_word(four_runners) -> None:
    algorithm, _ = four_runners(dies=lambda call, runner: call == 2, returns_after=None)
    algorithm.config.__dict__["env_runner_restore_timeout_s"] = 0.1
    with pytest.raises(WorkerLost, match="all 4 env runners have died, and none came back"):
        weights_after(algorithm)


def test_runners_that_die_of_what_they_play_are_not_started_for_ever(four_runners) -> None:
    algorithm, runners = four_runners(dies=lambda call, runner: runner == 1, returns_after=0)
    runners.healthy_env_runner_ids = lambda: [1]
    with pytest.raises(WorkerLost, match=rf"died {MOST_LOSSES + 1} times while they played iteration 1"):
        algorithm.training_step()


def test_a_lost_runner_ends_the_run_where_it_is_not_to_be_replaced(four_runners) -> None:
    algorithm, _ = four_runners(dies=lambda call, runner: (call, runner) == (2, 3), raising=True)
    algorithm.training_step()
    with pytest.raises(WorkerLost, match=r"died while it played iteration 2.*cluster\.restart_failed"):
        algorithm.training_step()


def test_an_error_of_the_environment_is_no_loss(four_runners) -> None:
    algorithm, runners = four_runners(make=make_broken)
    with pytest.raises(RuntimeError, match=r"(?s)env runner 4 failed .*signals\.py.*the antenna fell off"):
        algorithm.training_step()
    assert runners.calls == 1
