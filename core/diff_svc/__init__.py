"""Voices of diff-svc and Diffusion-SVC: their own features, conditions and whole-file conversion."""
