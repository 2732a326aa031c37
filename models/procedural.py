"""The procedural data set: scenes with questions, scene labels and boxes, one Sample per prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.boxes import format_boxes
from models.questions import Ask, Query, read_prompt, write_prompt
from models.sample import Sample, Task
from models.scenes import COUNTABLE, MAX_COUNT, OBJECTS, Scene, render

TASK_OF = {
    Ask.PRESENCE: Task.QUESTION,
    Ask.COMPARISON: Task.QUESTION,
    Ask.COUNT: Task.QUESTION,
    Ask.SCENE: Task.SCENE,
    Ask.BOXES: Task.BOXES,
}


def true_answer(scene: Scene, query: Query) -> str:
    """The right answer as text."""
    if query.ask is Ask.SCENE:
        return scene.kind
    assert query.first is not None, "only the scene prompt names no object"
    if query.ask is Ask.BOXES:
        return format_boxes(scene.boxes(query.first))
    count = scene.count(query.first)
    if query.ask is Ask.COUNT:
        return str(min(count, MAX_COUNT))
    if query.ask is Ask.PRESENCE:
        return "yes" if count else "no"
    assert query.second is not None, "a comparison names two objects"
    return "yes" if count > scene.count(query.second) else "no"


def draw_query(scene: Scene, task: Task, random: np.random.Generator) -> Query:
    """A random prompt of a task about a scene; half of them about something the scene has."""
    if task is Task.SCENE:
        return Query(Ask.SCENE)

    def pick(names: Sequence[str]) -> str:
        present = [name for name in names if scene.count(name)]
        pool = present if present and random.random() < 0.5 else names
        return pool[int(random.integers(len(pool)))]

    if task is Task.BOXES:
        # A detector is asked for what the scene has four times in five: empty answers teach little.
        present = [name for name in COUNTABLE if scene.count(name)]
        pool = present if present and random.random() < 0.8 else COUNTABLE
        return Query(Ask.BOXES, pool[int(random.integers(len(pool)))])
    ask = (Ask.PRESENCE, Ask.COMPARISON, Ask.COUNT)[int(random.integers(3))]
    first = pick(OBJECTS if ask is Ask.PRESENCE else COUNTABLE)
    if ask is not Ask.COMPARISON:
        return Query(ask, first)
    second = pick([name for name in COUNTABLE if name != first])
    return Query(ask, first, second)


def procedural_samples(
    seeds: Sequence[int] | range,
    tasks: Sequence[Task] = tuple(Task),
    *,
    prompts_per_scene: int = 1,
    size: int = 96,
) -> list[Sample]:
    """Samples of the scenes with these seeds, `prompts_per_scene` for each task.

    Scenes below seed `models.train_pair.TRAINING_SCENES` were seen in the pair's training: evaluate above it.
    """
    samples = []
    for seed in seeds:
        scene = render(seed, size)
        random = np.random.default_rng([seed, 1])
        for task in tasks:
            for number in range(prompts_per_scene if task is not Task.SCENE else 1):
                query = draw_query(scene, task, random)
                name = f"scene {seed} {task.value} {number}"
                samples.append(
                    Sample(scene.image, write_prompt(query), true_answer(scene, query), task, name)
                )
    return samples


def relevant_pixels(sample: Sample) -> np.ndarray:
    """Pixels of a procedural sample that its prompt is about, [px, px] bool: the ideal compressor's truth."""
    scene = render(int(sample.name.split()[1]), sample.image.shape[0])
    query = read_prompt(sample.prompt)
    names = [name for name in (query.first, query.second) if name is not None]
    if query.ask is Ask.SCENE:
        names = [name for name in OBJECTS if name not in ("forest", "road")]
    bits = sum(1 << OBJECTS.index(name) for name in names)
    return (scene.cover & bits) > 0
