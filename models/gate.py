"""The progressive confidence network g~ of SpaceVerse, section 3.1.

One trunk M and one linear projection L_i per stage. Stage 1 sees the encoded image and the prompt, stage i
also the first (i-1) N_t generated tokens, the last stage the whole output. Every stage predicts the same thing,
the similarity of the satellite's and the ground model's outputs (eq. (1)): low means "ask the ground".

The paper writes g~ as a function of V(x) alone. Without the prompt it is near chance (the same image is easy for
one question and hard for the next), so the prompt is part of the input unless `prompt_aware` is off.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.interface import Encoding, Step, Trace

TOP = 8  # how many of the best-matching patches are listed by their cosine


@dataclass(frozen=True)
class GateConfig:
    """Shape of the gate.

    stages        I >= 1, how often confidence is estimated
    chunk         N_t, tokens between two estimates (the last stage always waits for the end)
    prompt_aware  whether the prompt is seen; off reproduces the formula as printed
    only_last     a single estimate after the whole output: the paper's g'
    width         units of the trunk
    members       networks whose mean decides; each is fitted on its own part of the training samples
    """

    stages: int = 2
    chunk: int = 2
    prompt_aware: bool = True
    only_last: bool = False
    width: int = 128
    members: int = 5

    def __post_init__(self) -> None:
        for name in ("stages", "chunk", "width", "members"):
            if getattr(self, name) < 1:
                raise ValueError(f"gate.{name} is {getattr(self, name)}; it must be at least 1")
        if self.only_last and self.stages != 1:
            raise ValueError(f"gate.stages is {self.stages}; with only_last it must be 1")

    def tokens_seen(self, stage: int, total: int | None) -> int | None:
        """Tokens that stage 0..I-1 waits for; None: all of them (total gives their number when known)."""
        if self.only_last or (stage == self.stages - 1 and stage > 0):
            return total
        return stage * self.chunk if total is None else min(stage * self.chunk, total)


def image_features(encoding: Encoding, prompt_aware: bool) -> Tensor:
    """What stage 1 sees, [F]: the image's mean and largest activations, and how the prompt meets the patches.

    Of the cosines of eq. (2) it keeps, for the first and the last content word and over all words, the TOP
    largest, the mean and the spread, and it adds the image tokens averaged where the words match best.
    """
    image, prompt = encoding.image.float(), encoding.prompt.float()
    parts = [image.mean(0), image.amax(0)]
    if prompt_aware:
        words = prompt[encoding.content] if bool(encoding.content.any()) else prompt
        cosine = F.normalize(image, dim=-1) @ F.normalize(words, dim=-1).T  # [N_V, N_E]
        for column in (cosine[:, 0], cosine[:, -1], cosine.mean(1)):
            top = column.topk(min(TOP, len(column))).values
            parts += [F.pad(top, (0, TOP - len(top))), column.mean()[None], column.std()[None]]
        for column in (cosine[:, 0], cosine[:, -1]):
            parts.append(torch.softmax(10.0 * column, 0) @ image)
        parts += [prompt.mean(0), prompt[0], words[0], words[-1]]
    return torch.cat(parts)


N_SURE = 17  # numbers that say how sure the tokens were


def token_features(hidden: Tensor, probability: Tensor) -> Tensor:
    """What later stages add, [2 H + N_SURE]: mean and last hidden state of the tokens so far, and how sure they were.

    Sureness is seen as the tokens' probabilities, logarithms and logits, each where it is weakest, on average, at the
    end and summed up: a sum grows with every doubtful token (a long list of boxes), a minimum does not.
    """
    if len(probability) == 0:
        return hidden.new_zeros(2 * hidden.shape[-1] + N_SURE)
    chance = probability.float()
    doubt, believed = torch.log(1.0 - chance + 1e-4), torch.log(chance + 1e-4)
    logit = believed - doubt
    least = F.pad(chance.sort().values[:3], (0, max(0, 3 - len(chance))), value=1.0)
    sure = torch.stack(
        [
            *(chance.mean(), chance[0], chance[-1], chance.sum(), chance.std(correction=0)),
            *(doubt.max(), doubt[-1], doubt.sum(), believed.sum()),
            *(logit.min(), logit.mean(), logit[-1]),
            chance.new_tensor(len(chance) / 8.0),
            chance.min(),
        ]
    )
    return torch.cat([hidden.mean(0).float(), hidden[-1].float(), sure, least])


def stage_features(trace: Trace, config: GateConfig, stage: int, image: Tensor | None = None) -> Tensor:
    """Input of one stage, [F] or [F + 2 H + N_SURE], from a whole trace cut to what that stage may see.

    image  the trace's `image_features`, when the caller has them already
    """
    seen = config.tokens_seen(stage, len(trace.probability))
    features = image_features(trace.encoding, config.prompt_aware) if image is None else image
    if not _listens(config, stage):
        return features
    return torch.cat([features, token_features(trace.hidden[:seen], trace.probability[:seen])])


def _listens(config: GateConfig, stage: int) -> bool:
    return config.only_last or stage > 0


class _Layers(nn.Module):
    """The same linear layer of M networks: [M, n, inputs] -> [M, n, outputs]."""

    def __init__(self, members: int, inputs: int, outputs: int):
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))

    def forward(self, rows: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, rows, self.weight)


class ProgressiveGate(nn.Module):
    """g~: stage inputs of their own width -> similarity in [0, 1], the mean of `config.members` networks' logits.

    Beside the paper's projection and trunk every stage has a linear path to the output: with a few hundred training
    samples it keeps what a single strong input (a token's probability) says on its own.
    mean_i, scale_i [F_i] standardise the input of stage i; they are part of the saved state.
    """

    def __init__(self, config: GateConfig, widths: list[int]):
        super().__init__()
        if len(widths) != config.stages:
            raise ValueError(f"gate.stages is {config.stages} but {len(widths)} input widths were given")
        self.config = config
        self.widths = list(widths)
        self.project = nn.ModuleList(_Layers(config.members, width, config.width) for width in widths)
        self.direct = nn.ModuleList(_Layers(config.members, width, 1) for width in widths)
        self.trunk = nn.Sequential(
            nn.GELU(),
            nn.Dropout(0.2),
            _Layers(config.members, config.width, config.width),
            nn.GELU(),
            _Layers(config.members, config.width, 1),
        )
        for stage, width in enumerate(widths):
            self.register_buffer(f"mean_{stage}", torch.zeros(width))
            self.register_buffer(f"scale_{stage}", torch.ones(width))

    def standardise(self, inputs: list[Tensor]) -> None:
        """Take mean and spread of each stage's inputs [n, F_i]."""
        for stage, rows in enumerate(inputs):
            getattr(self, f"mean_{stage}").copy_(rows.mean(0))
            getattr(self, f"scale_{stage}").copy_(1.0 / rows.std(0).clamp(min=1e-3))

    def centred(self, features: Tensor, stage: int) -> Tensor:
        """The standardised input of a stage, [n, F_stage]."""
        centred = (features - getattr(self, f"mean_{stage}")) * getattr(self, f"scale_{stage}")
        return centred.clamp(-5, 5)

    def logits(self, centred: Tensor, stage: int) -> Tensor:
        """Every member's logits: standardised inputs [M, n, F_stage] -> [M, n]."""
        return (self.trunk(self.project[stage](centred)) + self.direct[stage](centred))[..., 0]

    def forward(self, features: Tensor, stage: int) -> Tensor:
        """[n, F_stage] -> predicted similarity [n]."""
        centred = self.centred(features, stage).expand(self.config.members, -1, -1)
        return torch.sigmoid(self.logits(centred, stage).mean(0))

    @torch.no_grad()
    def estimate(self, encoding: Encoding, steps: list[Step], stage: int) -> float:
        """The raw confidence of one stage while a model is decoding."""
        features = image_features(encoding, self.config.prompt_aware)
        if _listens(self.config, stage):
            hidden = torch.stack([step.hidden for step in steps])
            probability = torch.tensor([step.probability for step in steps])
            features = torch.cat([features, token_features(hidden, probability)])
        return float(self(features[None], stage)[0])
