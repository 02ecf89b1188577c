"""What each network learns: content, denoiser, vocoder."""
