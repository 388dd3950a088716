"""The full-screen interface. It runs GDB and asks it as PROTOCOL.md says: nothing here knows GDB's Python, or where
anything lies in a VM."""
