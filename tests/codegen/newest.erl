%% What OTP 28 and 29 have and no release before: native records, messages of priority, hibernate/0, is_integer/3.
-module(newest).
-export([run/0]).

-record #pair{one = 1, other}.

run() ->
    [{Name, try Work() catch Class:Reason:Stack -> {Class, Reason, Stack} end} || {Name, Work} <- work()].

work() ->
    [{records, fun records/0},
     {no_record, fun() -> other(not_a_record) end},
     {priority, fun priority/0},
     {hibernate, fun hibernate/0},
     {within, fun() -> [within(Term) || Term <- [0, 1, 10, 11, 5.0, five, 1 bsl 70]] end},
     {shifts, fun() -> [shifted(Term, By) || Term <- [1, -1, 1 bsl 100, -1 bsl 70, a], By <- [0, 3, 70, -70, b]] end},
     {divided, fun() -> [divided(A, B) || A <- [1 bsl 70, -1 bsl 90, 7, 1.5], B <- [1 bsl 68, -3, 0, 1 bsl 90]] end},
     {written, fun() -> [written(Term) || Term <- [0, 255, 16#12345678, -1, 1 bsl 70]] end},
     {funs, fun() -> [F(2) || F <- funs(40, {two})] end}].

%% Records

records() ->
    Pair = pair(two),
    {Pair, other(Pair), is_record(Pair), other(Pair#pair{other = [three]}), (pair({four}))#pair.one}.

pair(Other) -> #pair{other = Other}.

other(#pair{one = 1, other = Other}) -> {other, Other}.

%% Messages: those of priority come first, with a marker behind them, and what is received lies before it or behind.
%% They are put there when the process looks for what has come, as process_info/2 does.

priority() ->
    Alias = alias([priority]),
    [self() ! {plain, N} || N <- [1, 2, 3]],
    [erlang:send(Alias, {first, N}, [priority]) || N <- [1, 2]],
    {messages, Waiting} = process_info(self(), messages),
    One = receive {plain, 2} = Two -> Two end,
    erlang:send(Alias, {first, 3}, [priority]),
    {message_queue_len, 5} = process_info(self(), message_queue_len),
    Rest = drain(),
    Late = spawn_monitor(fun() -> exit(late(Alias)) end),
    {Waiting, One, Rest, answer(Late), drain(), unalias(Alias)}.

late(Alias) ->
    erlang:send(Alias, {first, late}, [priority]),
    sent.

answer({Pid, Monitor}) ->
    receive {'DOWN', Monitor, process, Pid, Reason} -> Reason end.

drain() ->
    receive Message -> [Message | drain()]
    after 0 -> []
    end.

hibernate() ->
    Self = self(),
    {Pid, Monitor} = spawn_monitor(fun() -> Self ! {slept, sleep([a, {b}])}, tail() end),
    wake(Pid),
    Slept = receive {slept, What} -> What end,
    wake(Pid),
    {Slept, answer({Pid, Monitor})}.

wake(Pid) ->
    case process_info(Pid, current_function) of
        {current_function, {newest, _, _}} -> Pid ! wake;
        _ -> erlang:yield(), Pid ! wake
    end.

sleep(Kept) ->
    ok = erlang:hibernate(),
    receive wake -> Kept end.

tail() ->
    receive wake -> self() ! again end,
    last().

last() -> erlang:hibernate().

%% Guards, arithmetic, binaries, funs

within(Term) when is_integer(Term, 1, 10) -> inside;
within(_) -> outside.

shifted(Term, By) -> {reason(fun() -> Term bsl By end), reason(fun() -> Term bsr By end)}.

divided(A, B) -> {reason(fun() -> A div B end), reason(fun() -> A rem B end)}.

reason(Work) -> try Work() catch error:Reason -> Reason end.

written(Term) ->
    Bits = <<Term:48, Term:32/little, Term:7>>,
    {<<Bits/bits, "tail", Term:24/little>>, <<(abs(Term) rem 256)/utf8, (abs(Term) rem 256)/utf16-little, 1.5:32/float-little>>}.

funs(One, Two) ->
    [fun(X) -> {X, One, Two} end, fun(X) -> {X} end, fun(X) -> X + One end, fun erlang:abs/1].
