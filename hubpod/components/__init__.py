"""Pure functions that derive containers and seeds from an environment's values.

Each container of the pod has a module.
"""
