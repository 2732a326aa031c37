"""The built-in pair behind the common interface, one sample at a time or in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.boxes import NO_BOXES, SCALE, format_boxes
from models.interface import Encoding, Step, Trace, VisionLanguageModel, finish_trace
from models.pair.network import (
    ANSWER_TOKENS,
    NO_WORD,
    SCENE_WORD,
    SPOKEN,
    START,
    PairNetwork,
)
from models.pair.weights import WEIGHTS, fingerprint, load_network
from models.questions import Ask, Query, read_prompt
from models.sample import Sample, SampleError, check_sample, of_sample
from models.scenes import COUNTABLE, OBJECTS

SURE_ENOUGH = 0.35  # a centre below this probability is no box
MOST_ANSWER_BOXES = 12
BATCH = 128


def _word(name: str | None, ask: Ask) -> int:
    if ask is Ask.SCENE and name is None:
        return SCENE_WORD
    return NO_WORD if name is None else OBJECTS.index(name)


class PairModel(VisionLanguageModel):
    """One network of the built-in pair. Its images are 96 x 96; others are averaged to that size first."""

    def __init__(self, network: PairNetwork, name: str):
        self.network = network.eval()
        self.name = name
        self._fingerprint = fingerprint(network)

    @classmethod
    def load(cls, size: str, folder: Path = WEIGHTS) -> PairModel:
        """The shipped network: size is "small" (satellite) or "large" (ground)."""
        return cls(load_network(size, folder), f"pair-{size}")

    @property
    def working_steps(self) -> int:
        return SPOKEN

    def fingerprint(self) -> str:
        return self._fingerprint

    @torch.no_grad()
    def encode(self, image: np.ndarray, prompt: str) -> Encoding:
        query = read_prompt(prompt)
        tokens = self.network.encode(_pixels([image]))
        return self._encoding(tokens[0], query, {k: v[0] for k, v in self.network.look(tokens).items()})

    def _encoding(self, tokens: Tensor, query: Query, looked: dict[str, Tensor] | None) -> Encoding:
        first, second = _word(query.first, query.ask), _word(query.second, Ask.PRESENCE)
        words = torch.tensor([word for word in (first, second) if word != NO_WORD])
        with torch.no_grad():
            prompt = torch.cat([self.network.asks.weight[int(query.ask)][None], self.network.words(words)])
        content = torch.tensor([False] + [True] * len(words))
        grid = self.network.config.grid
        return Encoding(tokens, prompt, content, (grid, grid), None if looked is None else (query, looked))

    def decode(self, encoding: Encoding) -> Iterator[Step]:
        assert isinstance(encoding.state, tuple), (
            "this encoding has no decoder state; encode the sample again"
        )
        query, looked = encoding.state
        if query.ask is Ask.BOXES:
            yield from self._boxes(encoding.image, looked, COUNTABLE.index(query.first))
            return
        first, second = _word(query.first, query.ask), _word(query.second, Ask.PRESENCE)
        with torch.no_grad():
            batched = {name: value[None] for name, value in looked.items()}
            hidden = self.network.open(
                batched, torch.tensor([[int(query.ask)]]), torch.tensor([[first]]), torch.tensor([[second]])
            )[0]
        previous = torch.tensor([START])
        for _ in range(SPOKEN):
            with torch.no_grad():
                hidden, logits = self.network.say(hidden, previous)
            probability, previous = torch.softmax(logits, -1).max(-1)
            yield Step(ANSWER_TOKENS[int(previous)], hidden[0], float(probability))

    def _boxes(self, tokens: Tensor, looked: dict[str, Tensor], column: int) -> Iterator[Step]:
        """Boxes from the surest down, then an end step whose probability says how surely nothing is left."""
        grid = self.network.config.grid
        score = torch.sigmoid(looked["centre_logits"][:, column])  # [N]
        field = score.view(1, 1, grid, grid)
        peak = (field == F.max_pool2d(field, 3, 1, 1)).flatten()
        order = torch.argsort(torch.where(peak, score, torch.zeros(())), descending=True)
        last = int(order[0])
        for number in range(MOST_ANSWER_BOXES):
            best = int(order[number])
            last, chance = best, float(score[best]) if bool(peak[best]) else 0.0
            if chance < SURE_ENOUGH:
                yield Step("", self._spot(tokens[best], chance), 1.0 - chance)
                return
            x, y, log_width, log_height = looked["extent"][best].tolist()
            middle = np.array([best % grid + 0.5 + x, best // grid + 0.5 + y])
            half = np.exp(np.clip([log_width, log_height], -3, 3)) / 2
            box = np.concatenate([middle - half, middle + half]) * (SCALE / grid)
            yield Step(format_boxes(box), self._spot(tokens[best], chance), chance)
        yield Step("", self._spot(tokens[last], 0.0), 1.0)

    def _spot(self, token: Tensor, chance: float) -> Tensor:
        """A patch's token and its score, padded to the width of the decoder's hidden state."""
        spot = torch.zeros(self.network.config.hidden)
        spot[: len(token)] = token
        spot[len(token)] = chance
        return spot

    def answer(self, steps: Sequence[Step]) -> str:
        if not steps:
            return ""
        if steps[0].text.startswith("[") or steps[-1].text == "":
            return " ".join(step.text for step in steps if step.text) or NO_BOXES
        return steps[-1].text

    def traces(self, samples: Sequence[Sample]) -> tuple[list[Trace | None], list[SampleError]]:
        return self._run(samples, keep=True)

    def replies(self, samples: Sequence[Sample]) -> tuple[list[Trace | None], list[SampleError]]:
        return self._run(samples, keep=False)

    @torch.no_grad()
    def _run(self, samples: Sequence[Sample], keep: bool) -> tuple[list[Trace | None], list[SampleError]]:
        """Encode in batches; the decoder's steps are those of `decode`, many samples at once."""
        traces: list[Trace | None] = [None] * len(samples)
        errors: list[SampleError] = []
        usable: list[tuple[int, Query]] = []
        for index, sample in enumerate(samples):
            try:
                usable.append((index, read_prompt(check_sample(sample).prompt)))
            except SampleError as error:
                errors.append(of_sample(sample.name, error))
        for start in range(0, len(usable), BATCH):
            part = usable[start : start + BATCH]
            images = {id(samples[index].image): samples[index].image for index, _ in part}
            place = {key: row for row, key in enumerate(images)}  # one image, many prompts: encoded once
            rows = torch.tensor([place[id(samples[index].image)] for index, _ in part])
            tokens = self.network.encode(_pixels(list(images.values())))
            looked = {name: value[rows] for name, value in self.network.look(tokens).items()}
            tokens = tokens[rows]
            spoken = self._speak(looked, [query for _, query in part])
            for row, (index, query) in enumerate(part):
                if query.ask is Ask.BOXES:
                    steps = list(
                        self._boxes(tokens[row], {k: v[row] for k, v in looked.items()}, _column(query))
                    )
                else:
                    steps = spoken[row]
                encoding = self._encoding(tokens[row] if keep else tokens[row, :0], query, None)
                traces[index] = finish_trace(self, encoding, steps)
        return traces, errors

    def _speak(self, looked: dict[str, Tensor], queries: list[Query]) -> list[list[Step]]:
        """The spoken steps of a batch, one prompt an image (rows of box prompts are not used)."""
        ask = torch.tensor([[int(query.ask)] for query in queries])
        first = torch.tensor([[_word(query.first, query.ask)] for query in queries])
        second = torch.tensor([[_word(query.second, Ask.PRESENCE)] for query in queries])
        hidden = self.network.open(looked, ask, first, second)[:, 0]
        previous = torch.full((len(queries),), START)
        steps: list[list[Step]] = [[] for _ in queries]
        for _ in range(SPOKEN):
            hidden, logits = self.network.say(hidden, previous)
            probability, previous = torch.softmax(logits, -1).max(-1)
            for row, token in enumerate(previous.tolist()):
                steps[row].append(Step(ANSWER_TOKENS[token], hidden[row], float(probability[row])))
        return steps


def _column(query: Query) -> int:
    assert query.first is not None, "a box prompt names an object"
    return COUNTABLE.index(query.first)


def _pixels(images: Sequence[np.ndarray]) -> Tensor:
    """Stack images [B, 96, 96, 3]; other sizes are area-averaged to 96 first."""
    side = 96
    rows = []
    for image in images:
        pixels = torch.from_numpy(np.ascontiguousarray(image))
        if tuple(image.shape[:2]) != (side, side):
            channels = pixels.permute(2, 0, 1)[None].float()
            pixels = F.adaptive_avg_pool2d(channels, side)[0].permute(1, 2, 0).round().to(torch.uint8)
        rows.append(pixels)
    return torch.stack(rows)
