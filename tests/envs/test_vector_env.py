"""The batched Gymnasium view: the same as so many single environments, in every way of starting anew."""

from __future__ import annotations

import warnings
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs.config import ConfigError, LoadView, TaskConfig
from envs.joint_env import NOBODY, RoutingJointEnv
from envs.simulator import HOLD
from envs.vector_env import RoutingVectorEnv

N = 3


@pytest.fixture
def scenario_with(small_scenario):
    def scenario_with(*, task: TaskConfig | None = None, **rules):
        environment = replace(small_scenario.environment, **rules)
        return replace(small_scenario, environment=environment, task=task or small_scenario.task)

    return scenario_with


@pytest.fixture
def both(scenario_with, small_ephemeris):
    """The batched environment and its reference, N single ones under Gymnasium's own vectoriser."""

    def both(mode: AutoresetMode, **rules) -> tuple[RoutingVectorEnv, SyncVectorEnv]:
        scenario = scenario_with(**rules)

        def one() -> RoutingJointEnv:
            return RoutingJointEnv(scenario, ephemeris=small_ephemeris)

        batched = RoutingVectorEnv(N, scenario, ephemeris=small_ephemeris, autoreset_mode=mode)
        return batched, SyncVectorEnv([one] * N, autoreset_mode=mode)

    return both


def legal_actions(masks: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Random legal actions [E, P] for masks [E, P, 5]."""
    return (masks * random.uniform(0.5, 1, masks.shape)).argmax(-1)


def assert_same(ours, theirs, path: str = "") -> None:
    """Equal structure, dtypes and values, up to the rounding of sums."""
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs), path
        for key in theirs:
            assert_same(ours[key], theirs[key], f"{path}.{key}")
    elif isinstance(theirs, np.ndarray) and theirs.dtype == object:
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(one, other, f"{path}[{number}]")
    elif theirs is None:
        assert ours is None, path
    else:
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, path
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6, err_msg=path)


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"max_steps": 12, "broadcast_delay_steps": 2},  # some worlds run out of time; news travels slowly
        {
            "loads": LoadView.two_hop,
            "broadcast_delay_steps": 1,
            "task": TaskConfig(n_tasks=4, fewest_tasks=1),
        },
    ],
    ids=["plain", "time limit", "fewer tasks"],
)
def test_equals_single_environments_world_by_world(both, mode, rules):
    batched, single = both(mode, **rules)
    ours, theirs = batched.reset(seed=7), single.reset(seed=7)
    random = np.random.default_rng(0)
    ends = 0
    for step in range(32):
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other, f"step {step}")
        actions = legal_actions(ours[0]["action_mask"], random)
        if rules and step % 3:
            actions[step % N] = HOLD  # some dawdle, so that time runs out
        if mode is AutoresetMode.DISABLED and step and (ours[2] | ours[3]).any():
            over = ours[2] | ours[3]
            first, second = (env.reset(options={"reset_mask": over.copy()}) for env in (batched, single))
            assert_same(first[0], second[0], f"reset in step {step}")
            assert_same(first[1], second[1], f"reset in step {step}")
            actions = legal_actions(first[0]["action_mask"], random)
        ours, theirs = batched.step(actions), single.step(actions)
        ends += int((ours[2] | ours[3]).sum())
    assert ends >= N, "episodes ended and began anew"


@pytest.fixture
def make_vec(small_scenario, small_ephemeris):
    def make_vec(**settings) -> RoutingVectorEnv:
        settings = {"num_envs": 4, "scenario": small_scenario, "ephemeris": small_ephemeris} | settings
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            env = gymnasium.make_vec("leomix/Routing-v0", **settings)
        assert isinstance(env, RoutingVectorEnv)
        return env

    return make_vec


def test_gymnasium_makes_it_and_it_keeps_to_its_spaces(make_vec):
    env = make_vec()
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert "autoreset_mode" not in RoutingVectorEnv.metadata
    observation, infos = env.reset(seed=3)
    random = np.random.default_rng(3)
    for _ in range(15):
        assert env.observation_space.contains(observation)
        np.testing.assert_array_equal(infos["action_mask"], observation["action_mask"])
        assert ((observation["action_mask"][..., HOLD] == 1) == (observation["holder"] == NOBODY)).all()
        actions = legal_actions(observation["action_mask"], random)
        assert env.action_space.contains(actions)
        observation, rewards, terminated, truncated, infos = env.step(actions)
        assert {array.shape for array in (rewards, terminated, truncated)} == {(4,)}
    env.close()


def test_a_world_does_not_depend_on_its_neighbours(make_vec):
    together, alone = make_vec(num_envs=3), make_vec(num_envs=1)
    ours, _ = together.reset(seed=[5, 6, 7])
    theirs, _ = alone.reset(seed=[6])
    random = np.random.default_rng(1)
    for _ in range(20):
        for name in ours:
            np.testing.assert_allclose(ours[name][1], theirs[name][0], rtol=2e-5, atol=1e-6)
        actions = legal_actions(ours["action_mask"], random)
        ours, theirs = together.step(actions)[0], alone.step(actions[1:2])[0]


def test_resets_without_a_seed_draw_on(make_vec):
    env = make_vec()
    first, _ = env.reset(seed=1)
    second, _ = env.reset()
    again, _ = env.reset(seed=1)
    np.testing.assert_array_equal(first["state"], again["state"])
    assert not np.array_equal(first["state"], second["state"])
    assert len(np.unique(first["state"], axis=0)) == 4


def test_callers_may_write_into_what_they_get(make_vec):
    env, other = make_vec(), make_vec()
    observation, infos = env.reset(seed=2)
    untouched, _ = other.reset(seed=2)
    actions = legal_actions(untouched["action_mask"], np.random.default_rng(2))
    for array in (*observation.values(), *infos.values()):
        array[:] = 0
    np.testing.assert_array_equal(env.step(actions)[0]["state"], other.step(actions)[0]["state"])


def test_clear_errors(make_vec, scenario_with):
    env = make_vec(autoreset_mode="Disabled", scenario=scenario_with(max_steps=12))
    with pytest.raises(RuntimeError, match=r"reset\(\)"):
        env.step(np.full((4, 6), HOLD))
    with pytest.raises(RuntimeError, match="leave out reset_mask"):
        env.reset(options={"reset_mask": np.array([True, False, False, False])})
    with pytest.raises(ValueError, match="2 seeds for 4 worlds"):
        env.reset(seed=[1, 2])
    env.reset(seed=1)
    with pytest.raises(ValueError, match="reset_mask must be 4 booleans"):
        env.reset(options={"reset_mask": np.zeros(4, bool)})
    with pytest.raises(ValueError, match=r"shape \(4,\), not \(4, 6\)"):
        env.step(np.full(4, HOLD))
    for _ in range(12):
        truncated = env.step(np.full((4, 6), HOLD))[3]
    assert truncated.all()
    with pytest.raises(RuntimeError, match="world 0 is over"):
        env.step(np.full((4, 6), HOLD))
    with pytest.raises(ConfigError, match="num_envs=0"):
        make_vec(num_envs=0)

    strict = make_vec(scenario=scenario_with(strict=True))
    observation, _ = strict.reset(seed=1)
    illegal = legal_actions(observation["action_mask"], np.random.default_rng(0))
    illegal[2, 1] = observation["action_mask"][2, 1].argmin()
    with pytest.raises(ValueError, match=f"illegal action {illegal[2, 1]} of packet 1 of world 2: legal are"):
        strict.step(illegal)


def test_a_world_that_is_over_before_it_begins_ends_in_its_first_step(scenario_with, small_ephemeris):
    # One hop is too few for most packets: they are dropped at their sources.
    scenario = scenario_with(max_hops=1, task=TaskConfig(n_tasks=1))
    env = RoutingVectorEnv(6, scenario, ephemeris=small_ephemeris)
    observation, _ = env.reset(seed=0)
    nobody = (observation["holder"] == NOBODY).all(1)
    assert nobody.any()
    _, rewards, terminated, _, infos = env.step(np.full((6, 2), HOLD))
    assert terminated[nobody].all() and not rewards[nobody].any()
    assert (infos["delivered_share"][nobody] == 0).all() and (infos["dropped"][nobody] == 2).all()
    _, _, terminated, _, _ = env.step(np.full((6, 2), HOLD))
    assert not terminated[nobody].any(), "they began anew"
