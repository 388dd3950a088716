"""Random Erlang modules that are well-formed, end soon, and give the same whenever they run.

Each family of expressions has a file. What an expression gives is mostly of the kind that was asked for, so that a
function does real work before something fails; sometimes it is of another, so that something does.
"""
