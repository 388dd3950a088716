%% Code with a literal that a process still has when it is purged: see troubles.erl.
-module(constant).
-export([value/0]).

value() ->
    {literal, "of old", <<"code">>}.
