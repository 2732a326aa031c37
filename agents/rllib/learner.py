"""The gradient step of the plain trainer inside RLlib's Learner."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from torch import Tensor

from agents.qmix import QMIXModel
from agents.rllib.module import QMIXTorchModule
from agents.shards import ProcessGroup

if TYPE_CHECKING:
    from agents.rllib.config import QMIXConfig

PROGRESS = "progress"
"""Key of the share of the training that is done, 0 to 1, in the `timesteps` of `LearnerGroup.update`."""


class QMIXTorchLearner(TorchLearner):
    """Updates a `QMIXTorchModule` exactly as `agents.trainer.gradient_step` does.

    One call of `update` is one gradient step, followed by one step of the target networks. What `TorchLearner` adds
    to that (learning-rate schedules over time steps, its own clipping, zeroing of non-finite gradients) is left out.
    Several learners, with a shard of each batch, make the update that one makes with all of it, up to rounding.
    """

    def __init__(self, *, config: QMIXConfig, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        self.qmix = config.qmix

    @property
    def model(self) -> QMIXModel:
        """The plain model below RLlib's wrappers, DistributedDataParallel's among them."""
        assert self.module is not None
        module = self.module[DEFAULT_MODULE_ID].unwrapped()
        assert isinstance(module, QMIXTorchModule)
        return module.model

    def build(self) -> None:
        """Several learners compute the loss of the whole batch, each its share of it."""
        super().build()
        if self.distributed:
            self.model.shards = ProcessGroup()

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """The plain trainer's optimiser; no RLlib schedule, the rate follows `PROGRESS`."""
        parameters = list(self.model.online_parameters())
        optimizer = torch.optim.Adam(parameters, lr=self.qmix.learning_rate)
        self.register_optimizer(module_id=module_id, optimizer=optimizer, params=parameters)

    def before_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Set the learning rate of this moment of the training."""
        learning_rate = self.qmix.learning_rate_at(timesteps[PROGRESS])
        self._set_optimizer_lr(self.get_optimizer(), lr=learning_rate)
        self.metrics.log_value((DEFAULT_MODULE_ID, "learning_rate"), learning_rate, window=1)

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Any], fwd_out: dict[str, Tensor]
    ) -> Tensor:
        """The module's forward pass has computed the loss; what comes with it is worth plotting."""
        metrics = {name: value.detach() for name, value in fwd_out.items()}
        self.metrics.log_dict(metrics, key=module_id, reduce="mean")
        return fwd_out["loss"]

    def postprocess_gradients(self, gradients_dict: dict[Tensor, Tensor]) -> dict[Tensor, Tensor]:
        """Clip the joint norm of the gradients, given by parameter, in place."""
        norm = torch.nn.utils.clip_grad_norm_(list(gradients_dict), self.qmix.gradient_clip)
        self.metrics.log_value((DEFAULT_MODULE_ID, "gradient_norm"), norm, reduce="mean")
        return gradients_dict

    def apply_gradients(self, gradients_dict: dict[Tensor, Tensor]) -> None:
        """Step on the gradients, which are in the parameters' `grad` already."""
        self.get_optimizer().step()

    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Let the target networks follow."""
        self.model.update_targets(self.qmix.target_tau)

    def set_state(self, state: dict[str, Any]) -> None:
        """Load weights whatever their sequence number: `Learner` ignores those that are not newer than its own,
        so that an older checkpoint would be restored in part."""
        if COMPONENT_RL_MODULE in state:
            assert self.module is not None
            self.module.set_state(state[COMPONENT_RL_MODULE])
        super().set_state({name: value for name, value in state.items() if name != COMPONENT_RL_MODULE})

    def training_state(self) -> dict[str, Any]:
        """Of the plain trainer's state, what a learner holds: the model, its optimiser and the number of updates.
        Tensors are on the CPU, but may be the learner's own: store or copy them before the next update."""
        return {
            "model": {name: value.cpu() for name, value in self.model.state_dict().items()},
            "optimizer": self.get_optimizer().state_dict(),
            "updates": self._weights_seq_no,
        }

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Continue where `training_state` was taken; raises RuntimeError when the networks do not match."""
        self.model.load_state_dict(state["model"], strict=True)
        self.get_optimizer().load_state_dict(copy.deepcopy(state["optimizer"]))  # it would keep the tensors
        self._weights_seq_no = state["updates"]
