%% A fun that is called last gets its caller's frame, also where the interpreter does it: behind `catch` of an error.
-module(tail_funs).
-export([cases/0, fails/2, loop/1, stack/2]).

cases() ->
    [{fails, [x, y]}, {loop, [1000]}].

fails(F, _) ->
    V = (catch <<([])/bitstring, F/bitstring>>),
    (opaque(fun badly/2))(<<>>, V).

badly(_, {}) ->
    ok.

loop(N) ->
    _ = (catch error(N)),
    F = opaque(fun ?MODULE:stack/2),
    F(N, self()).

stack(0, Self) ->
    {stack_size, Words} = process_info(Self, stack_size),
    Words < 1000;
stack(N, _) ->
    loop(N - 1).

opaque(X) ->
    case get(never) of
        undefined -> X;
        Y -> Y
    end.
