%% Code that becomes old while processes are in it: see aging.erl.
-module(aged).
-export([waits/1, calls/1, makes/1]).

waits(Parent) ->
    Parent ! {self(), inside},
    receive never -> ok end.

calls(Parent) ->
    Called = aging:wait(Parent),
    {called, Called}.

makes(Parent) ->
    fun() -> Parent end.
