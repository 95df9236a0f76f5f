"""The commands as tasks of invoke: the table, and the program that runs them."""
