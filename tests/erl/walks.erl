%% A process to step through: recursion, exceptions, messages, tail calls, BIFs, funs, the end of another process. It
%% prints a line in every tenth round.
-module(walks).
-export([start/0, loop/1, echo/0, factorial/1, catches/1, asks/1, passes/1, other/1, builtin/1, calls/1, ends/1]).

start() ->
    true = register(echo, spawn(?MODULE, echo, [])),
    true = register(walks, spawn(?MODULE, loop, [1])),
    ok.

echo() ->
    receive
        {From, What} ->
            timer:sleep(3),
            From ! {echo, What}
    end,
    echo().

loop(Round) ->
    Factorial = factorial(4),
    Caught = catches(Round),
    Asked = asks(Round),
    Passed = passes(Round),
    builtin(Round),
    calls(Round),
    {_, Monitor} = spawn_monitor(?MODULE, ends, [Round]),
    receive {'DOWN', Monitor, _, _, _} -> ok end,
    Round rem 10 =:= 0 andalso io:format("round ~b~n", [Round]),
    put(results, [Factorial, Caught, Asked, Passed]),
    timer:sleep(5),
    loop(Round + 1).

factorial(0) ->
    1;
factorial(N) ->
    Below = factorial(N - 1),
    N * Below.

catches(N) ->
    try
        factorial(1),
        throws({N, thrown})
    catch
        throw:{N, thrown} ->
            factorial(2),
            [caught | N]
    end.

throws(What) ->
    factorial(3),
    throw(What).

asks(N) ->
    echo ! {self(), N},
    Answer = receive {echo, N} -> N end,
    factorial(1),
    Answer.

passes(N) ->
    factorial(1),
    other(N + 1).

other(N) ->
    factorial(2),
    N + 1.

builtin(N) ->
    Reversed = lists:reverse([N, 2, 3], [last]),
    length(Reversed).

calls(N) ->
    Fun = fun walks:factorial/1,
    A = Fun(N rem 3),
    B = apply(?MODULE, factorial, [A]),
    {A, B}.

ends(N) ->
    factorial(1),
    exit({bye, N}).
