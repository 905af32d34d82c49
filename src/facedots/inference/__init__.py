"""Networks in use: ONNX Runtime, no torch."""
