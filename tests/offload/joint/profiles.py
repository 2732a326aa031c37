"""Made-up profiles: quick, and with whatever property a test needs."""

import numpy as np

from models.profile_file import Coding, Profile


def made_profile(n_frames: int = 400, *, levels: int = 4, seed: int = 0, informative: bool = True) -> Profile:
    """Bytes rise with the level, errors fall; if `informative`, confidence tells hard frames from easy ones."""
    random = np.random.default_rng(seed)
    hard = random.random(n_frames)
    confidence = 1 - hard if informative else random.random(n_frames)
    shrink = 0.45 ** np.arange(levels)
    codings = {}
    for name, factor in (("plain", 1.0), ("attention", 0.7)):
        size = factor * 300 * 1.8 ** np.arange(levels) * random.uniform(0.7, 1.3, (n_frames, 1))
        wrong = random.random((n_frames, 1)) < 0.6 * hard[:, None] * shrink
        codings[name] = Coding(
            tuple(f"level {j}" for j in range(levels)), size.astype(np.int64), 1.0 - wrong.astype(float)
        )
    return Profile(
        confidence=np.stack([confidence, confidence], 1),
        small_score=(random.random(n_frames) > 0.5 * hard).astype(float),
        large_score=(random.random(n_frames) > 0.03 * hard).astype(float),
        pixels=np.full(n_frames, 9216, np.int64),
        onboard_s=np.tile([0.12, 0.09, 0.55], (n_frames, 1)),
        large_s=np.tile([0.02, 0.06, 0.37], (n_frames, 1)),
        codings=codings,
        provenance={"settings": {"task": "question"}},
    )
