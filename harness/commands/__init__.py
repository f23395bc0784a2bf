"""The commands behind the command line: each module has ``main(arguments) -> exit code``."""
