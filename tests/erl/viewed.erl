%% Tells what OTP's crashdump_viewer finds in crash dumps, without its windows: for each line of standard input, the
%% name of a dump, what is in that, as lines "viewed WHAT ...", and "viewed all" at the end.
-module(viewed).
-export([start/0]).

start() ->
    ok = io:setopts([{encoding, unicode}]),
    {ok, _} = crashdump_viewer:start_link(),
    each(io:get_line("")).

each(eof) ->
    halt();
each(Line) ->
    crashdump_viewer:read_file(string:trim(Line)),
    tell(),
    io:format("viewed all~n"),
    each(io:get_line("")).

tell() ->
    {ok, General, Truncated} = crashdump_viewer:general_info(),
    warned(general, Truncated),
    [io:format("viewed general ~tp~n", [Text]) || Text <- tuple_to_list(General), is_list(Text)],
    {ok, Processes, _} = crashdump_viewer:processes(),
    [process(pid_to_list(element(2, Process))) || Process <- Processes],
    {ok, Tables, _} = crashdump_viewer:ets_tables(all),
    [io:format("viewed table ~ts ~ts ~ts ~p ~p ~p~n", [Id, Name, Type, Size, Memory, Owner])
     || {ets_table, Owner, _, Id, Name, _, Type, _, Size, {bytes, Memory}, _} <- Tables],
    {ok, Ports, _} = crashdump_viewer:ports(),
    [port(Port) || Port <- Ports],
    {ok, Timers, _} = crashdump_viewer:timers(all),
    [io:format("viewed timer ~p ~ts~n", [Left, Message]) || {timer, _, _, Message, Left} <- Timers],
    {ok, Atoms, _} = crashdump_viewer:atoms(),
    [io:format("viewed atom ~p ~ts~n", [Number, Name]) || {Number, {Name, _}} <- Atoms],
    {ok, Modules, _} = crashdump_viewer:loaded_modules(),
    [io:format("viewed module ~ts~n", [Name]) || {loaded_mod, {Name, _}, _, _, _, _, _, _} <- Modules],
    {ok, Lists, _} = crashdump_viewer:loaded_mod_details("lists"),
    io:format("viewed lists ~0tp~n", [lists:flatten(element(5, Lists))]).

process(Pid) ->
    {ok, Process, Warnings} = crashdump_viewer:proc_details(Pid),
    warned(Pid, Warnings),
    [proc, Pid, Name, First, Parent, _, State, Current, Length, Messages, _, Links, Monitors, MonitoredBy | Rest] =
        tuple_to_list(Process),
    Facts = [{name, Name}, {spawned, First}, {parent, Parent}, {state, State}, {queue, integer_to_list(Length)}],
    [io:format("viewed process ~s ~s ~ts~n", [Pid, Key, Text]) || {Key, Text} <- Facts, is_list(Text)],
    [io:format("viewed process ~s current ~ts~n", [Pid, Text]) || {_, Text} <- [Current]],
    [io:format("viewed process ~s ~s ~ts~n", [Pid, Key, Text])
     || {Key, Sides} <- [{link, Links}, {monitor, Monitors}, {monitored_by, MonitoredBy}], is_list(Sides),
        {Text, _} <- Sides],
    [io:format("viewed process ~s message ~0tp~n", [Pid, term(Message)]) || {Message, _} <- Messages],
    [_, _, _, Dictionary, Reductions, _, _, Heap, OldHeap | _] = Rest,
    [io:format("viewed process ~s dictionary ~0tp = ~0tp~n", [Pid, Key, Value])
     || {Key, Value} <- lists:map(fun term/1, Dictionary), Key =/= terms],
    [io:format("viewed term ~s ~ts\t~0tp~n", [Pid, Kind, Value])
     || {terms, Terms} <- lists:map(fun term/1, Dictionary), {Kind, Value} <- Terms],
    [io:format("viewed process ~s ~s ~p~n", [Pid, Key, Number])
     || {Key, Number} <- [{reductions, Reductions}, {heap, Heap}, {old_heap, OldHeap}]],
    Stack = lists:nth(length(Rest) - 2, Rest),
    [io:format("viewed stack ~s ~ts ~0tp~n", [Pid, Label, term(Value)]) || {Label, Value} <- Stack].

port({port, {Node, Number}, State, _, _, Owner, Links, Name, Monitors, Suspended, Controls, Input, Output, Queue, _}) ->
    Facts = [{state, State}, {owner, Owner}, {registered, Name}, {controls, Controls}, {input, Input},
             {output, Output}, {queue, Queue}],
    [io:format("viewed port ~p.~p ~s ~ts~n", [Node, Number, Key, text(Value)])
     || {Key, Value} <- Facts, Value =/= undefined],
    [io:format("viewed port ~p.~p ~s ~ts~n", [Node, Number, Key, Pid])
     || {Key, Sides} <- [{link, Links}, {monitored_by, Monitors}, {suspended, Suspended}], is_list(Sides),
        {Pid, _} <- Sides].

text(Text) when is_list(Text); is_binary(Text) -> Text;
text(Value) -> io_lib:format("~0p", [Value]).

warned(What, Warnings) ->
    [io:format("viewed warning ~s ~ts~n", [What, Warning]) || Warning <- Warnings].

%% What stands for terms that the viewer's node cannot have, as text; a binary that it has not read yet is read.
term(['#CDVBin', Offset, Size, Position]) ->
    {ok, Binary} = crashdump_viewer:expand_binary({Offset, Size, Position}),
    Binary;
term(['#CDVPid' | Numbers]) -> list_to_atom("<" ++ numbers(Numbers) ++ ">");
term(['#CDVPort' | Numbers]) -> list_to_atom("#Port<" ++ numbers(Numbers) ++ ">");
term([Head | Tail]) -> [term(Head) | term(Tail)];
term(Tuple) when is_tuple(Tuple) -> list_to_tuple(lists:map(fun term/1, tuple_to_list(Tuple)));
term(Map) when is_map(Map) -> maps:from_list([{term(Key), term(Value)} || {Key, Value} <- maps:to_list(Map)]);
term(Other) -> Other.

numbers(Numbers) -> lists:flatten(lists:join($., lists:map(fun integer_to_list/1, Numbers))).
