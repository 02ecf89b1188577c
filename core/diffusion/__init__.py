"""Diffusion over log-mel frames: noise levels, start noise, samplers and the denoiser they call."""
