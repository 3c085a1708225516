"""What was trained, taken elsewhere: to ONNX, torch.export, safetensors and the Hub's layout, and to whichever engine is fastest here."""
