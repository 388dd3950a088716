"""The macro operations in Thumb code, for ARMv6-M and, where that is asked for, ARMv7-M."""
