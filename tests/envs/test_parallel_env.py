"""The PettingZoo view: conformance, and that it shows the simulator as it is."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from pettingzoo.utils.conversions import aec_to_parallel, parallel_to_aec

from envs.config import ConfigError, Reward, RewardConfig
from envs.constellation import CONSTELLATIONS
from envs.parallel_env import RoutingParallelEnv
from envs.simulator import HOLD


@pytest.fixture
def make(small_scenario, small_ephemeris):
    def make(**rules) -> RoutingParallelEnv:
        environment = replace(small_scenario.environment, **rules)
        return RoutingParallelEnv(replace(small_scenario, environment=environment), ephemeris=small_ephemeris)

    return make


def sample(env: RoutingParallelEnv, observations: dict) -> dict[str, int]:
    """Random legal actions."""
    return {
        agent: int(env.action_space(agent).sample(observations[agent]["action_mask"])) for agent in env.agents
    }


def play(env: RoutingParallelEnv, seed: int):
    """A masked random episode; yields what every step returns."""
    observations, _ = env.reset(seed=seed)
    for number, agent in enumerate(env.agents):
        env.action_space(agent).seed(seed + number)
    while env.agents:
        result = env.step(sample(env, observations))
        yield result
        observations = result[0]


def test_passes_the_api_test(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(make(), num_cycles=60)


def test_passes_the_seed_test(make):
    parallel_seed_test(make, num_cycles=30)


def test_passes_the_api_test_turn_by_turn(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Two things are meant: observations are a Dict with a mask, and who has nothing to decide sees zeros.
        for meant in (
            "space for each agent probably should be",
            "is not a NumPy array",
            "numpy array is all zeros",
        ):
            warnings.filterwarnings("ignore", message=f"Observation {meant}")
        api_test(parallel_to_aec(make(max_steps=12)), num_cycles=300)


def test_passes_the_seed_test_turn_by_turn(make):
    seed_test(lambda: parallel_to_aec(make()), num_cycles=200)


def test_turn_by_turn_is_the_same_game(make):
    env, turns = make(), aec_to_parallel(parallel_to_aec(make()))
    observations, _ = env.reset(seed=8)
    same, _ = turns.reset(seed=8)
    for number, agent in enumerate(env.agents):
        env.action_space(agent).seed(number)
    while env.agents:
        actions = sample(env, observations)
        observations, rewards, *_ = env.step(actions)
        same, same_rewards, *_ = turns.step(actions)
        assert rewards == same_rewards
        for agent, seen in same.items():
            np.testing.assert_array_equal(seen["observation"], observations[agent]["observation"])
    assert not turns.agents


def test_every_satellite_is_an_agent(make):
    env = make()
    assert env.possible_agents[0] == "sat_000" and env.possible_agents[-1] == "sat_047"
    assert env.max_num_agents == 48
    observations, _ = env.reset(seed=1)
    for agent in env.agents:
        assert env.observation_space(agent).contains(observations[agent])


def test_acting_agents_see_the_simulator_and_idle_ones_nothing(make):
    env = make()
    env.reset(seed=3)
    for observations, *_ in play(env, seed=3):
        simulator = env.world.simulator
        turn = simulator.turn()
        values = env.world.observer(turn).numpy()
        acting = dict(zip(turn.satellite.tolist(), range(len(turn)), strict=True))
        for number, agent in enumerate(env.possible_agents):
            seen = observations[agent]
            if number in acting:
                row = acting[number]
                assert seen["action_mask"].tolist() == [*turn.legal[row].int().tolist(), 0]
                np.testing.assert_array_equal(seen["observation"], values[row])
                assert seen["observation"][0] == 1  # carries_packet
            else:
                assert seen["action_mask"].tolist() == [0, 0, 0, 0, 1]
                assert not seen["observation"].any()
        assert env.state().shape == env.state_space.shape


@pytest.mark.parametrize("kind", [Reward.telescoping, Reward.paper])
def test_every_agent_gets_the_team_reward(make, kind):
    env = make(reward=RewardConfig(kind=kind))
    returns = dict.fromkeys(env.possible_agents, 0.0)
    result = None
    for result in play(env, seed=5):
        for agent, reward in result[1].items():
            returns[agent] += reward
    assert result is not None
    _, _, terminated, truncated, infos = result
    assert all(terminated.values()) and not any(truncated.values())
    simulator = env.world.simulator
    if kind is Reward.paper:
        expected = float(simulator.paper_reward()[0])
    else:
        penalties = simulator.drop_penalty_s()[simulator.dropped & (simulator.hops > 0)].sum()
        expected = -float(simulator.delays().total_s.sum() + penalties)
    assert set(returns) == set(env.possible_agents)
    np.testing.assert_allclose(list(returns.values()), expected, rtol=1e-4)
    for info in infos.values():
        assert info["total_delay_s"] == pytest.approx(float(simulator.delays().total_s.sum()))
        assert info["delivered_share"] == pytest.approx(float(simulator.delivered.float().mean()))


def test_with_difference_each_agent_gets_its_own_credit(make):
    team, own = make(), make(reward=RewardConfig(kind=Reward.difference))
    team.reset(seed=7)
    observations, _ = own.reset(seed=7)
    while own.agents:
        actions = sample(own, observations)
        simulator = team.world.simulator
        turn = simulator.turn()
        agents = [team.possible_agents[satellite] for satellite in turn.satellite]
        step = simulator.step(turn, turn.packet.new_tensor([actions[agent] for agent in agents]))
        observations, rewards, *_ = own.step(actions)
        credit = dict(zip(agents, step.credit.tolist(), strict=True))
        assert rewards == pytest.approx({agent: credit.get(agent, 0.0) for agent in own.possible_agents})


def test_illegal_and_missing_actions_hold(make):
    env, other = make(), make()
    observations, _ = env.reset(seed=2)
    other.reset(seed=2)
    illegal = {agent: int(np.argmin(seen["action_mask"])) for agent, seen in observations.items()}
    for _ in range(2):
        results = env.step(illegal), other.step({})
        for agent in env.agents:
            first, second = (result[0][agent] for result in results)
            np.testing.assert_array_equal(first["observation"], second["observation"])
    assert not env.world.simulator.hops.any()


def test_strict_raises(make):
    env = make(strict=True)
    observations, _ = env.reset(seed=2)
    legal = sample(env, observations)
    idle = next(agent for agent, seen in observations.items() if seen["action_mask"][HOLD])
    acting = next(agent for agent, seen in observations.items() if not seen["action_mask"][HOLD])
    for agent, action in ((idle, 0), (acting, HOLD), (acting, 5), (acting, -1)):
        with pytest.raises(ValueError, match=f"illegal action {action} of {agent}: legal are"):
            env.step(legal | {agent: action})
    env.step(legal)


def test_the_time_limit_truncates(make):
    env = make(max_steps=12)
    env.reset(seed=0)
    for _ in range(12):
        _, _, terminated, truncated, infos = env.step({})
    assert env.agents == [] and all(truncated.values()) and not any(terminated.values())
    assert infos["sat_000"]["delivered_share"] == 0


def test_clear_errors(make, small_scenario, small_ephemeris):
    env = make(max_steps=12)
    with pytest.raises(RuntimeError, match=r"reset\(\)"):
        env.step({})
    env.reset()
    with pytest.raises(ValueError, match=r"unknown agents \['sat_999'\]"):
        env.step({"sat_999": 4})
    other = replace(small_scenario, constellation=CONSTELLATIONS["walker_12x24"])
    with pytest.raises(ConfigError, match="ephemeris='walker_6x8'"):
        RoutingParallelEnv(other, ephemeris=small_ephemeris)


def test_resets_without_a_seed_draw_on(make):
    env = make()
    env.reset(seed=1)
    first = env.state()
    env.reset()
    second = env.state()
    env.reset(seed=1)
    np.testing.assert_array_equal(env.state(), first)
    env.reset()
    np.testing.assert_array_equal(env.state(), second)
    assert not np.array_equal(first, second)
