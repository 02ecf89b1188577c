"""Voices of diff-svc and Diffusion-SVC: features, conditions and whole files as they make them."""
