"""This machine's processes, signals, files and terminal."""
