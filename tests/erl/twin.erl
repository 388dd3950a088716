%% Its file has the name that twin_other.erl says of its own, which has code of the lines 16, 17 and 19.
-module(twin).
-export([start/0, loop/1, first/1, second/1]).

start() ->
    spawn(?MODULE, loop, [0]),
    ok.

loop(N) ->
    twin_other:stray(N),
    timer:sleep(5),
    loop(second(first(N))).

%% A line without code in it, and one behind.
first(N) ->
    X = N + 1,

    X * 2.

second(N) ->
    N rem 7.
