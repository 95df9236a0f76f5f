"""The commands as functions, which tasks.py declares.

Each function has the options and the help text of a command, and calls hubpod.commands.
"""
