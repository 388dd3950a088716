"""The macro operations on 32-bit ARM."""
