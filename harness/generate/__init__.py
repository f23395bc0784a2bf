"""Sampling: the engine contract, decoding policies, noise, and the engines."""
