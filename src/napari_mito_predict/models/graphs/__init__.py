"""Networks from elsewhere that are one graph with its weights, in TorchScript or ONNX: nothing of it is our code.

The networks themselves are in `network`, which imports torch.
"""

from __future__ import annotations

from napari_mito_predict.models.graphs.arguments import GRAPH, AxisSize, GraphArguments, GraphOutput, Step, check_graph

__all__ = ["GRAPH", "AxisSize", "GraphArguments", "GraphOutput", "Step", "check_graph"]
