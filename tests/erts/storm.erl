%% Exchange the module `hot` in every way; run/2 gives what came of it.
-module(storm).
-export([run/2]).

run(One, Two) ->
    load(One),
    Results = {old_code(One, Two), killed(One, Two), exchanged(One, Two)},
    code:purge(hot),
    Results.

load(Folder) ->
    {module, hot} = code:load_abs(filename:join(Folder, hot)),
    ok.

%% Old code with frames on a stack goes on to its end, and cannot be purged softly before.
old_code(One, Two) ->
    P = holder(50),
    Before = erlang:check_process_code(P, hot),
    load(Two),
    During = {erlang:check_process_code(P, hot), code:soft_purge(hot), hot:version()},
    P ! go,
    Sum = receive {P, S} -> S end,
    gone(P),
    After = code:soft_purge(hot),
    load(One),
    true = code:soft_purge(hot),
    {Before, During, Sum, After, hot:version()}.

%% A process with frames of code that is purged is killed.
killed(One, Two) ->
    P = holder(20),
    load(Two),
    Monitor = monitor(process, P),
    Purged = code:purge(hot),
    Why = receive {'DOWN', Monitor, process, P, W} -> W end,
    load(One),
    code:purge(hot),
    {Purged, Why}.

holder(Depth) ->
    Self = self(),
    P = spawn(fun() -> hot:hold(Depth, Self) end),
    waiting(P),
    P.

waiting(P) ->
    case process_info(P, [status, current_function]) of
        [{status, waiting}, {current_function, {hot, _, _}}] -> ok;
        _ -> erlang:yield(), waiting(P)
    end.

gone(P) ->
    Monitor = monitor(process, P),
    receive {'DOWN', Monitor, process, P, _} -> ok end.

%% Many processes work while the code is exchanged under them.
exchanged(One, Two) ->
    Self = self(),
    Expected = [hot:work(N) || N <- lists:seq(1, 15)],
    Workers = [spawn_link(fun() -> worker(Self, Expected, 0) end) || _ <- lists:seq(1, 6)],
    exchange(10, [One, Two]),
    [P ! stop || P <- Workers],
    Rounds = [receive {P, N} -> N end || P <- Workers],
    lists:all(fun(N) -> N > 0 end, Rounds).

worker(Parent, Expected, Rounds) ->
    Expected = [hot:work(N) || N <- lists:seq(1, 15)],
    receive
        stop -> Parent ! {self(), Rounds + 1}
    after 0 -> worker(Parent, Expected, Rounds + 1)
    end.

exchange(0, _) -> ok;
exchange(N, [Next, Other]) ->
    load(Next),
    purged(),
    exchange(N - 1, [Other, Next]).

purged() ->
    case code:soft_purge(hot) of
        true -> ok;
        false -> erlang:yield(), purged()
    end.
