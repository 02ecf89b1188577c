"""The live engine: rings, backends and the session. Plain Python and numpy, no torch."""
