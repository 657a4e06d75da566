"""The operator's command line: one module for each group of commands, output in one place."""
