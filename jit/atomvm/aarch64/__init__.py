"""The macro operations on 64-bit ARM."""
