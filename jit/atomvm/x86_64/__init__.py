"""The macro operations on x86-64."""
