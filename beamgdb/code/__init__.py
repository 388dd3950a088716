"""Loaded code, whoever tells of it: BeamAsm's registrations, the VM's tables of modules, objects of native code.

For the model of the VM and all that is above it; knows nothing of processes, and nothing of how code is run."""
