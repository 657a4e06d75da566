"""The key files of an institution, by the names that the node uses; `notarium.key_files` implements them."""

from notarium.key_files import KeyFileError, Purpose, create_key, load_key, load_seed

__all__ = ["KeyFileError", "Purpose", "create_key", "load_key", "load_seed"]
