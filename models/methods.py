"""Who answers which sample: SpaceVerse and the methods it is compared with, behind one interface.

Every method is fitted on the same few samples and then asked for a plan that offloads a wanted share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from models.active_inference import ActiveInferenceAgent
from models.gate import GateConfig
from models.gate_training import CalibratedGate, Isotonic, fit_calibrated, gate_inputs
from models.interface import Trace
from models.metrics import auroc
from models.record import Record
from models.thresholds import KEPT, decide, thresholds_for_share
from models.workload import Workload


@dataclass(frozen=True)
class Plan:
    """One method's decisions for n samples.

    stage       [n] deciding stage, KEPT (-1) where the onboard answer stands
    decoded     [n] onboard tokens decoded until then
    gates       [n] confidence estimates made
    confidence  [n] the last estimate, NaN for methods without one
    looked      whether the onboard model looks at the image at all
    """

    stage: np.ndarray
    decoded: np.ndarray
    gates: np.ndarray
    confidence: np.ndarray
    looked: bool = True

    @property
    def offloaded(self) -> np.ndarray:
        return self.stage != KEPT


class Method(ABC):
    """A way to split samples between satellite and ground.

    compresses    offloaded images pass the attention compressor
    pruned_share  part of the image tokens that the ground's language model reads
    ensembles     the final answer weighs both models' answers
    """

    name: str
    compresses = False
    pruned_share = 1.0
    ensembles = False

    def fit(self, train: Record, seed: int) -> None:  # noqa: B027 (two methods have nothing to learn)
        """Learn from samples that both models answered (5% of the data in the paper)."""

    @abstractmethod
    def plan(self, test: Record, share: float) -> Plan:
        """Decisions that offload this share of the samples."""


def _plan(test: Record, stage: np.ndarray, decoded: np.ndarray, confidence: np.ndarray | None = None) -> Plan:
    nothing = np.full(len(test), np.nan) if confidence is None else confidence
    return Plan(stage, decoded, np.full(len(test), 0 if confidence is None else 1), nothing)


class SatelliteOnly(Method):
    """Everything is answered on board."""

    name = "satellite only"

    def plan(self, test: Record, share: float) -> Plan:
        return _plan(test, np.full(len(test), KEPT), test.tokens)


class GroundOnly(Method):
    """Every raw image goes down, nothing runs on board."""

    name = "ground only"

    def plan(self, test: Record, share: float) -> Plan:
        zero = np.zeros(len(test), dtype=int)
        return Plan(zero, zero, zero, np.full(len(test), np.nan), looked=False)


def _answer_probability(trace: Trace, rule: str) -> float:
    chance = trace.probability
    if len(chance) == 0:
        return 0.0
    return float({"last": chance[-1], "mean": chance.mean(), "least": chance.min()}[rule])


@dataclass
class Tabi(Method):
    """Tabi (EuroSys 2023): calibrated confidence of the finished answer, word pruning, weighted ensemble.

    The confidence is a token probability put through an isotonic map (the published temperature scaling is one
    special monotone map); which probability (last, mean, least) is whatever ranks the training samples best.
    Pruned are image tokens, the words of this task's input, before the ground's language model; that this costs no
    accuracy is assumed in Tabi's favour.
    """

    pruned_share: float = 0.7
    ensembles: bool = True
    name: str = "Tabi"
    rule: str = "last"
    calibrated: Isotonic | None = field(default=None, init=False)

    def fit(self, train: Record, seed: int) -> None:
        right = train.small_score > 0.5
        scores = {r: [_answer_probability(t, r) for t in train.traces] for r in ("last", "mean", "least")}
        self.rule = max(scores, key=lambda r: np.nan_to_num(auroc(np.array(scores[r]), right)))
        self.calibrated = Isotonic.fit(np.array(scores[self.rule]), train.small_score)

    def chance(self, record: Record) -> np.ndarray:
        """The probability that its rule reads off every answer, uncalibrated, [n]."""
        return np.array([_answer_probability(trace, self.rule) for trace in record.traces])

    def confidence(self, test: Record) -> np.ndarray:
        """Calibrated probability that the onboard answer is right, [n]."""
        if self.calibrated is None:
            raise RuntimeError("Tabi has not been fitted")
        return self.calibrated(self.chance(test))

    def plan(self, test: Record, share: float) -> Plan:
        confidence = self.confidence(test)
        stage = decide(confidence[:, None], thresholds_for_share(confidence[:, None], share))
        return _plan(test, stage, test.tokens, confidence)


@dataclass
class ActiveInference(Method):
    """AI-RG (IEEE TMC 2024), see models.active_inference: latency-aware, blind to difficulty."""

    workload: Workload = field(default_factory=Workload)
    name: str = "AI-RG"
    agent: ActiveInferenceAgent | None = field(default=None, init=False)

    def _times(self, record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        work, pairs = self.workload, list(zip(record.samples, record.tokens.tolist(), strict=True))
        onboard = np.array([work.onboard_s(sample, tokens) for sample, tokens in pairs])
        link = np.array([work.raw_link_s(sample) for sample, _ in pairs])
        return onboard, link, np.array([work.ground_s(sample, tokens) for sample, tokens in pairs])

    def fit(self, train: Record, seed: int) -> None:
        onboard, link, ground = self._times(train)
        self.agent = ActiveInferenceAgent(seed, float(np.median(onboard)))
        # A busy stream teaches what queues do: arrivals as fast as the processor can take them.
        self.agent.drive(onboard, link, ground, float(onboard.mean()), learning=True)

    def plan(self, test: Record, share: float) -> Plan:
        if self.agent is None:
            raise RuntimeError("AI-RG has not been fitted")
        onboard, link, ground = self._times(test)
        lean = self.agent.drive(onboard, link, ground, float(onboard.mean()), learning=False)
        lean = lean + 1e-6 * np.random.default_rng(0).random(len(lean))  # equal states: any of them
        order = np.argsort(-lean)
        stage = np.full(len(test), KEPT)
        stage[order[: round(share * len(test))]] = 0
        return _plan(test, stage, np.where(stage == KEPT, test.tokens, 0))


def agreement(record: Record) -> np.ndarray:
    """Similarity of the two models' outputs, [n]: the target of eq. (1)."""
    return record.agreement


def no_gain(record: Record) -> np.ndarray:
    """What the onboard answer is better by, from -1..1 put on 0..1, [n]: sending pays below 1/2. Needs true answers.

    The mean of this over the samples sent is exactly what sending them changes, so the order by its expectation is
    the best there is for accuracy. Losses count as well: where the ground is now and then wrong and the satellite
    right, as on scenes, leaving them out misleads the gate.
    """
    return 0.5 * (1.0 + record.small_score - record.large_score)


@dataclass
class Gated(Method):
    """A confidence network: SpaceVerse's g~, or its ablations g (before decoding) and g' (after).

    target  what a confidence predicts: the agreement of both models, eq. (1), which needs no truth; or `no_gain`
    """

    config: GateConfig
    name: str
    compresses: bool = False
    early: float = 0.55
    target: Callable[[Record], np.ndarray] = agreement
    gate: CalibratedGate | None = field(default=None, init=False)
    _held_out: np.ndarray | None = field(default=None, init=False)

    def _inputs(self, record: Record) -> list[torch.Tensor]:
        known = record.image_features if self.config.prompt_aware else None
        return gate_inputs(record.traces, self.config, known)

    def fit(self, train: Record, seed: int) -> None:
        target = torch.tensor(self.target(train), dtype=torch.float32)
        self.gate, self._held_out = fit_calibrated(self._inputs(train), target, self.config, seed=seed)

    def training_confidences(self) -> np.ndarray:
        """Of the training samples, by networks that have not seen them (see `fit_calibrated`), [n, I]."""
        if self._held_out is None:
            raise RuntimeError(f"{self.name} has not been fitted")
        return self._held_out

    def confidences(self, test: Record) -> np.ndarray:
        """Calibrated confidence of every stage, [n, I]."""
        if self.gate is None:
            raise RuntimeError(f"{self.name} has not been fitted")
        return self.gate.confidences(self._inputs(test))

    def plan(self, test: Record, share: float) -> Plan:
        return self.plan_from(self.confidences(test), test, share)

    def plan_from(self, confidence: np.ndarray, test: Record, share: float) -> Plan:
        """Decisions from confidences [n, I] that are at hand already."""
        stage = decide(confidence, thresholds_for_share(confidence, share, self.early))
        reached = np.where(stage == KEPT, self.config.stages - 1, stage)
        tokens = test.tokens
        seen = np.array(
            [[self.config.tokens_seen(i, int(t)) or 0 for i in range(self.config.stages)] for t in tokens]
        )
        rows = np.arange(len(test))
        decoded = np.where(stage == KEPT, tokens, seen[rows, reached])
        return Plan(stage, decoded, reached + 1, confidence[rows, reached])


def spaceverse() -> Gated:
    """SpaceVerse as published: two stages, progressive, with the compressor."""
    return Gated(GateConfig(stages=2), "SpaceVerse", compresses=True)


def spaceverse_by_gain() -> Gated:
    """SpaceVerse whose gate predicts what sending would gain, learned from the true answers of the same samples."""
    return Gated(GateConfig(stages=2), "SpaceVerse, gain", compresses=True, target=no_gain)


def gate_before() -> Gated:
    """The ablation g: one estimate before decoding."""
    return Gated(GateConfig(stages=1), "g only")


def gate_after() -> Gated:
    """The ablation g': one estimate after the whole answer."""
    return Gated(GateConfig(stages=1, only_last=True), "g' only")


def all_methods(workload: Workload) -> list[Method]:
    """The methods of Figs. 9 to 11, unfitted."""
    return [
        SatelliteOnly(),
        GroundOnly(),
        Tabi(),
        ActiveInference(workload),
        gate_before(),
        gate_after(),
        spaceverse(),
        spaceverse_by_gain(),
    ]
