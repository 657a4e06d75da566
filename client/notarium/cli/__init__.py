"""The command `notarium`: one module for each group of commands."""
