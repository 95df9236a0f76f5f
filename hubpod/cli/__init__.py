"""The commands as functions: options, help text, and a call into hubpod.commands; tasks.py declares them."""
