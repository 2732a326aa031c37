"""Weights & Biases as the tracker of a run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INIT_TIMEOUT_S = 30.0
"""How long to wait for the server before the run is written to disk instead."""


class WandbTracker:
    """One run at Weights & Biases, found again by the id in `state`.

    Online where an API key is known and the server answers; else offline, in `<run>/wandb`, for `wandb sync` to send
    later. The environment variable WANDB_MODE, if set, decides instead. Metrics are drawn over `iteration`; W&B's own
    step only counts what was logged, over all processes that ever added to the run, so that nothing is taken for a
    repetition.
    """

    def __init__(
        self,
        run: Path,
        project: str,
        settings: Mapping[str, Any] | None,
        state: Path,
        say: Callable[[str], object],
    ) -> None:
        # W&B follows an LLM library called `agents`, takes our package for it and recommends another product.
        os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")
        import wandb  # slow to import, and needed only here

        wandb.setup(wandb.Settings(silent=True))
        run = run.resolve()  # it may be `runs/latest`, which is no name to be known by
        self._wandb, self._state, self._say = wandb, state, say
        self._trouble = False
        known = json.loads(state.read_text()) if state.exists() else {}
        self._known = {"service": "wandb", "project": project, "id": known.get("id", _identifier(run.name))}
        self._step, self._iteration = int(known.get("next_step", 0)), int(known.get("iteration", 0))
        mode = os.environ.get("WANDB_MODE")
        if mode is None:
            mode = "online" if wandb.login(prompt=False, verify=False) else "offline"
            if mode == "offline":
                say(f"wandb: no API key is known; {_later(run)}")
        try:
            self._run = self._begin(run, settings, mode)
        except wandb.Error as error:
            if mode != "online":
                raise
            reason = str(error).split("\n")[0]
            say(f"wandb: no connection ({reason}); {_later(run)}")
            wandb.teardown()  # its service still holds the id
            self._run = self._begin(run, settings, "offline")
        self._step = max(self._step, self._run.step)
        self._remember()

    def _begin(self, run: Path, settings: Mapping[str, Any] | None, mode: str):
        began = self._wandb.init(
            project=self._known["project"],
            name=run.name,
            id=self._known["id"],
            resume="allow",
            dir=run,
            config=dict(settings) if settings is not None and self._step == 0 else None,
            mode=mode,  # pyright: ignore[reportArgumentType]
            settings=self._wandb.Settings(silent=True, console="off", init_timeout=INIT_TIMEOUT_S),
        )
        if settings is not None and self._step:
            began.config.update(dict(settings), allow_val_change=True)  # resumed, and perhaps with new values
        began.define_metric("iteration", hidden=True)
        began.define_metric("*", step_metric="iteration")
        return began

    def log(self, iteration: int, metrics: Mapping[str, float]) -> None:
        self._iteration = iteration
        self._log(metrics)

    def policy(self, file: Path, iteration: int, metrics: Mapping[str, float]) -> None:
        artifact = self._wandb.Artifact(
            f"{self._known['id']}-policy", "model", metadata={"iteration": iteration, **metrics}
        )
        self._send(
            artifact, [file, file.parent / "config.yaml"], ["latest", "best", f"iteration-{iteration}"]
        )

    def results(
        self,
        *,
        figures: Mapping[str, Path],
        tables: Mapping[str, list[dict[str, Any]]],
        files: Mapping[str, Path],
        summary: Mapping[str, float],
    ) -> None:
        shown: dict[str, Any] = {}
        with self._patience():
            shown |= {name: self._wandb.Image(str(path)) for name, path in figures.items()}
            for name, rows in tables.items():
                columns = list(rows[0]) if rows else []
                data = [[row[column] for column in columns] for row in rows]
                shown[f"{name}_table"] = self._wandb.Table(columns=columns, data=data, allow_mixed_types=True)
        if shown:
            self._log(shown)
        for name, path in files.items():
            artifact = self._wandb.Artifact(f"{self._known['id']}-{_identifier(name)}", name.rsplit("-")[-1])
            self._send(artifact, [path], ["latest"])
        with self._patience():
            self._run.summary.update(dict(summary))

    def close(self) -> None:
        with self._patience():
            self._run.finish()

    # ---------------------------------------------------------------- parts

    def _log(self, values: Mapping[str, Any]) -> None:
        with self._patience():
            self._run.log({"iteration": self._iteration, **values}, step=self._step)
        self._step += 1
        self._remember()

    def _send(self, artifact: Any, paths: list[Path], aliases: list[str]) -> None:
        with self._patience():
            for path in paths:
                if path.is_dir():
                    artifact.add_dir(str(path))
                elif path.exists():
                    artifact.add_file(str(path))
            self._run.log_artifact(artifact, aliases=aliases)

    def _remember(self) -> None:
        """Write down how to find the run again, all or nothing."""
        unfinished = self._state.with_suffix(".unfinished")
        unfinished.write_text(
            json.dumps(self._known | {"iteration": self._iteration, "next_step": self._step}, indent=2) + "\n"
        )
        unfinished.replace(self._state)

    @contextmanager
    def _patience(self):
        """Trouble with the service is told once and stops nothing: the run's folder has everything."""
        try:
            yield
        except (self._wandb.Error, OSError) as error:
            if not self._trouble:
                reason = str(error).split("\n")[0]
                self._say(f"wandb: {reason}; the run goes on, its folder has everything")
            self._trouble = True


def _identifier(name: str) -> str:
    """A name that W&B takes as an id and as an artifact's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)


def _later(run: Path) -> str:
    shown = os.path.relpath(run / "wandb")
    return f"the run is written to {shown}; send it with `wandb sync {shown}/offline-run-*`"
