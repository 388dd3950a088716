%% A process `tails` that waits below functions which have little left to do: the code of each ends soon after its call.
-module(tails).
-export([start/0]).

start() ->
    register(?MODULE, spawn(fun() -> {outermost, t1()} end)).

t1() -> t2(), a.
t2() -> t3(), [a].
t3() -> t4(1), [a].
t4(_) -> t5(a, b), [a].
t5(_, _) -> t6(2, [a]), {a}.
t6(A, _) -> t7(b, c, A), [b].
t7(_, _, _) -> [t8()].
t8() -> {t9(), a}.
t9() -> hd(park()).

park() ->
    receive {go_on, Data} -> Data end.
