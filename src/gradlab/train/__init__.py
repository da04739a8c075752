"""Training: fleets of runs, on the fused kernel or the PyTorch loop, epoch by epoch and to the bit."""
