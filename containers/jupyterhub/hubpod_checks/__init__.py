"""The checks of what a spawn needs that the hub's container can make: hubpod-ready.

hubpod's list of needs (hubpod/components/needs.py) comes in a file beside the hub's configuration. Each need gets one
line of JSON: its name, its state and a sentence. Commands, addresses and settings are those of the hub itself.
"""
