"""A utility network as an ONNX graph that decides: observation and legal mask in, action and values out."""

from __future__ import annotations

import copy
import logging
import warnings

import onnx
import torch
from torch import Tensor, nn

from agents.networks import Utility

OPSET = 18
"""The opset that torch's exporter writes, so that nothing is converted afterwards; onnxruntime reads it since 1.14.
None of the operators has changed its meaning since opset 13 but ReduceMax, which takes its axes as an input from 18 on.
"""
IR_VERSION = 8
"""The oldest file format that may hold opset 18: older readers need no more."""
INPUTS, OUTPUTS = ("observation", "legal"), ("action", "q")


class GreedyPolicy(nn.Module):
    """observation [N, F], legal [N, 4] bool -> action [N] int64, the legal direction of highest value, and q [N, 4]."""

    def __init__(self, utility: Utility) -> None:
        super().__init__()
        self.utility = utility

    def forward(self, observation: Tensor, legal: Tensor) -> tuple[Tensor, Tensor]:
        q = self.utility(observation)
        return q.masked_fill(~legal, -torch.inf).argmax(1), q


def policy_graph(utility: Utility, observation_size: int, n_actions: int) -> onnx.ModelProto:
    """The graph of `utility` for any number of rows, checked by ONNX; holds nothing of the machine it was made on."""
    policy = GreedyPolicy(copy.deepcopy(utility).cpu().eval())
    rows = torch.export.Dim("n")
    example = (torch.zeros(2, observation_size), torch.ones(2, n_actions, dtype=torch.bool))
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the name of an axis is shared, which is what we want
            program = torch.onnx.export(
                policy,
                example,
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=INPUTS,
                output_names=OUTPUTS,
                dynamic_shapes={"observation": {0: rows}, "legal": {0: rows}},
            )
    finally:
        exporter_log.setLevel(level)
    assert program is not None
    return finished(program.model_proto)


def finished(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` without notes of the exporter (stack traces with paths), in our file format, checked by ONNX."""
    clean = onnx.ModelProto()
    clean.CopyFrom(model)
    clean.ir_version = IR_VERSION
    clean.producer_name, clean.producer_version, clean.doc_string = "leomix", "", ""
    graph = clean.graph
    graph.name = "policy"
    del clean.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.checker.check_model(clean, full_check=True)
    return clean
