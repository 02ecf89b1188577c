"""Whole files and training sets, driven over the same core as the live engine."""
