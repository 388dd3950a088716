"""Where fields lie in a VM that no table is for, proved on the VM itself: by its code and by what it has in memory.

The nearest table says what there is to find and about where; what it says of places is used for nothing. A place is
proved where many observations agree on it, and on no other. What is not proved is unknown: nobody guesses.
"""
