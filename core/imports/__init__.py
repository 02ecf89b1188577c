"""The only readers of foreign formats. Nothing in a file they read is ever executed."""
