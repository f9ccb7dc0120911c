"""Chapters 7 and 13: both gradients on CIFAR-10, and a recipe for its best result."""
