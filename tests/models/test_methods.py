"""The compared methods: shares met, costs charged where they fall, and what each may and may not look at."""

from __future__ import annotations

import numpy as np
import pytest

from models.active_inference import KEEP, SEND, ActiveInferenceAgent
from models.methods import (
    ActiveInference,
    GroundOnly,
    SatelliteOnly,
    Tabi,
    all_methods,
    gate_after,
    gate_before,
    no_gain,
)
from models.pair.model import PairModel
from models.procedural import procedural_samples
from models.record import Record, record
from models.sample import Sample
from models.thresholds import KEPT
from models.workload import Workload


@pytest.fixture(scope="module")
def pair() -> tuple[PairModel, PairModel]:
    return PairModel.load("small"), PairModel.load("large")


@pytest.fixture(scope="module")
def train(pair) -> Record:
    return record(pair[0], pair[1], procedural_samples(range(6_000_000, 6_000_060)))[0]


@pytest.fixture(scope="module")
def test(pair) -> Record:
    return record(pair[0], pair[1], procedural_samples(range(7_000_000, 7_000_060)))[0]


def test_the_ground_model_is_better_and_neither_is_perfect(test):
    assert test.small_score.mean() < test.large_score.mean() < 1.0
    assert test.small_score.mean() > 0.5


def test_the_target_of_gain_counts_what_sending_wins_and_loses(test):
    """Its mean over the samples sent tells exactly how sending them changes the mean score."""
    sent = np.arange(0, len(test), 3)
    mixed = test.small_score.copy()
    mixed[sent] = test.large_score[sent]
    change = mixed.sum() - test.small_score.sum()
    assert (1 - 2 * no_gain(test)[sent]).sum() == pytest.approx(change)
    assert no_gain(test).min() >= 0 and no_gain(test).max() <= 1


def test_bad_samples_are_left_out_and_reported(pair):
    good = procedural_samples([6_000_000])[0]
    kept, errors = record(pair[0], pair[1], [good, Sample(good.image, "", "no", name="empty")])
    assert len(kept) == 1 and any("empty" in str(error) for error in errors)


def test_every_method_meets_its_share(train, test):
    for method in all_methods(Workload()):
        method.fit(train, seed=0)
        for share in (0.0, 0.3, 1.0):
            plan = method.plan(test, share)
            sent = plan.offloaded.mean()
            if isinstance(method, (SatelliteOnly, GroundOnly)):
                assert sent == float(isinstance(method, GroundOnly))
            else:
                assert sent == pytest.approx(share, abs=0.08)
            assert (plan.decoded <= test.tokens).all()
            assert (plan.decoded[~plan.offloaded] == test.tokens[~plan.offloaded]).all()


def test_who_decodes_before_deciding(train, test):
    before, after, tabi = gate_before(), gate_after(), Tabi()
    for method in (before, after, tabi):
        method.fit(train, seed=0)
    sent = before.plan(test, 0.4)
    assert (sent.decoded[sent.offloaded] == 0).all()
    for method in (after, tabi):
        plan = method.plan(test, 0.4)
        assert (plan.decoded == test.tokens).all()


def test_ai_rg_never_looks_at_difficulty(train, test):
    method = ActiveInference(Workload())
    method.fit(train, seed=0)
    reference = method.plan(test, 0.5).stage
    shuffled = Record(
        test.samples,
        list(reversed(test.traces)),
        test.large_answer,
        1 - test.small_score,
        1 - test.large_score,
        test.large_sure,
        1 - test.agreement,
    )
    assert (method.plan(shuffled, 0.5).stage == reference).all()


def test_an_agent_learns_which_action_is_fast():
    agent = ActiveInferenceAgent(seed=0, unit_s=1.0)
    state = agent.state(0.0, 0.0, 1)
    energy = agent.free_energy(state)
    assert energy[KEEP] == pytest.approx(energy[SEND])  # it knows nothing yet
    for _ in range(30):
        agent.learn(state, KEEP, 9.0)
        agent.learn(state, SEND, 0.3)
    energy = agent.free_energy(state)
    assert energy[SEND] < energy[KEEP]
    other = agent.free_energy(agent.state(5.0, 0.0, 1))
    assert other[KEEP] == pytest.approx(other[SEND])  # and nothing about other states


def test_a_rare_action_is_worth_trying():
    agent = ActiveInferenceAgent(seed=0, unit_s=1.0)
    state = agent.state(0.0, 0.0, 0)
    for latency in np.linspace(0.1, 9, 60):  # same outcomes for both, one seen far less often
        agent.learn(state, KEEP, float(latency))
    agent.counts[(*state, SEND)] = agent.counts[(*state, KEEP)] / 10
    energy = agent.free_energy(state)
    assert energy[SEND] < energy[KEEP]


def test_methods_refuse_to_plan_before_they_are_fitted(test):
    for method in (Tabi(), ActiveInference(Workload()), gate_before()):
        with pytest.raises(RuntimeError, match="not been fitted"):
            method.plan(test, 0.5)


def test_kept_samples_are_marked(train, test):
    method = gate_after()
    method.fit(train, seed=0)
    assert (method.plan(test, 0.0).stage == KEPT).all()
