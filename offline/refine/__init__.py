"""A trained voice's denoiser learns on by what is heard of its one step; on a card, in minutes."""
