"""The voice pipeline: how a wave becomes conditions and conditions become a wave."""
