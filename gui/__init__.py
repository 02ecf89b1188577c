"""The app: one window over the same functions as the command line. No file here imports torch."""
