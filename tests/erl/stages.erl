%% A process that goes round and round through C, always below loop/1 and round/2: a BIF, arithmetic on big integers, a
%% NIF, a dirty NIF, the garbage collector, a handler of exceptions, float arithmetic, the death of another process, and
%% lines to step over.
%% Each caller needs its arguments after the call, so they live in y registers meanwhile.
-module(stages).
-export([start/0, loop/1, round/2]).
-export([in_bif/2, in_arithmetic/2, in_nif/2, in_dirty_nif/2, in_gc/2, in_catch/2, in_floats/2, in_exit/2, in_lines/2]).
-export([c_function/1, dirty_c_function/1, leaf/3, third/1, die/1]).
-on_load(load/0).

load() ->
    erlang:load_nif(filename:join(filename:dirname(code:which(?MODULE)), "stages_nif"), 0).

start() ->
    true = register(stages, spawn(?MODULE, loop, [0])),
    ok.

loop(Round) ->
    {round, Round, _, _} = round(Round, [payload, "of", <<"round">>]),
    loop(Round + 1).

round(Round, Payload) ->
    Stages = [fun in_bif/2, fun in_arithmetic/2, fun in_nif/2, fun in_dirty_nif/2, fun in_gc/2, fun in_catch/2,
              fun in_floats/2, fun in_exit/2, fun in_lines/2],
    Done = all(Stages, Round, Payload),
    {round, Round, Payload, Done}.

all([], _Round, _Payload) ->
    [];
all([Stage | Stages], Round, Payload) ->
    Done = Stage(Round, Payload),
    [Done | all(Stages, Round, Payload)].

in_bif(Round, Payload) ->
    Digest = erlang:md5(<<"some data">>),
    {Round, Payload, Digest}.

in_arithmetic(Round, Payload) ->
    Sum = (1 bsl 70 + Round) + 1,
    {Round, Payload, Sum}.

in_nif(Round, Payload) ->
    Answer = c_function({argument, 3}),
    {Round, Payload, Answer}.

in_dirty_nif(Round, Payload) ->
    Answer = dirty_c_function([dirty, argument]),
    {Round, Payload, Answer}.

in_gc(Round, Payload) ->
    Made = make(20000, []),
    {Round, Payload, length(Made)}.

make(0, Made) -> Made;
make(Left, Made) -> make(Left - 1, [{Left} | Made]).

in_catch(Round, Payload) ->
    Caught = (catch protected(Round, Payload)),
    {Round, Payload, Caught}.

protected(Round, Payload) ->
    try
        Answer = leaf(first, [Round], <<"third">>),
        {Answer, Payload}
    catch
        throw:Reason -> {thrown, Reason, Payload}
    end.

leaf(First, Second, Third) ->
    Size = third(Third),
    {First, Second, Size}.

third(Binary) ->
    byte_size(Binary).

in_lines(Round, Payload) ->
    One = third(<<"one">>),
    Two = third(<<"two">>),
    Three = third(<<"three">>),
    {Round, Payload, One, Two, Three}.

in_floats(Round, Payload) ->
    Scaled = scale(float(Round), 2.5),
    {Round, Payload, Scaled}.

scale(X, Factor) ->
    Product = X * Factor + 0.125,
    Product / 8.0.

%% Another process ends, with these arguments still on its stack.
in_exit(Round, Payload) ->
    {Pid, Monitor} = spawn_monitor(?MODULE, die, [{last, words}]),
    Reason = receive {'DOWN', Monitor, process, Pid, R} -> R end,
    {Round, Payload, Reason}.

die(Words) ->
    Answer = exit_with(Words),
    {Answer, Words}.

exit_with(Words) ->
    exit({shutdown, Words}).

c_function(_Argument) ->
    erlang:nif_error(not_loaded).

dirty_c_function(_Argument) ->
    erlang:nif_error(not_loaded).
