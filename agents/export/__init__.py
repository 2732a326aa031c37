"""From a trained policy to a folder that flies: ONNX, weights, manifest and the onboard runtime."""
