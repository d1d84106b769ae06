"""Training and evaluation of a method: training step, evaluation loop, checkpoints, and the Fabric engine."""
