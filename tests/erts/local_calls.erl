%% What traces tell of calls within a module. A tracer of its own collects events of one process, which works.
-module(local_calls).
-export([run/1, work/0]).

%% All kinds but some.
run(Without) ->
    [{Kind, events(Kind)} || Kind <- kinds() -- Without].

kinds() ->
    [running, call, return, exception, caller, return_to, meta, count, time, debug, on_load, none] ++
        [memory || erlang:system_info(otp_release) >= "26"] ++ [session || erlang:system_info(otp_release) >= "27"].

%%% What is traced

work() ->
    {factorial(5), sum([1, 2, 3], 0), even(4), catching(a), (fun(X) -> double(X) end)(4)}.

factorial(0) -> 1;
factorial(N) -> N * factorial(N - 1).

sum([], Sum) -> Sum;
sum([X | Xs], Sum) -> sum(Xs, Sum + X).

even(0) -> true;
even(N) -> odd(N - 1).

odd(0) -> false;
odd(N) -> even(N - 1).

catching(X) ->
    try double(X) catch error:badarith -> none end.

double(X) -> 2 * X.

%% Left in the middle, and at the end.
yielding() ->
    erlang:yield(),
    {yielded, last_yielding()}.

last_yielding() -> erlang:yield().

%%% Traces

events(count) -> counted(call_count, fun(Told) -> Told end);
events(time) -> counted(call_time, fun([{_, Calls, _, _}]) -> Calls; (Other) -> Other end);
events(memory) -> counted(call_memory, fun([{_, Calls, _}]) -> Calls; (Other) -> Other end);
events(debug) ->
    erts_debug:breakpoint({?MODULE, double, 1}, true),
    %% The module that debugs code in the VM's stead is not there.
    Got = try work() catch error:undef:Trace -> [{Name, Place} || {_, Name, _, Place} <- lists:sublist(Trace, 3)] end,
    erts_debug:breakpoint({?MODULE, double, 1}, false),
    Got;
events(on_load) ->
    %% This module by another name.
    Got = traced({on_load, true, [local]}, [call], fun() -> loaded_later:work() end),
    erlang:trace_pattern(on_load, false, [local]),
    Got;
events(meta) ->
    Self = self(),
    Tracer = spawn(fun() -> collect(Self, []) end),
    erlang:trace_pattern({?MODULE, '_', '_'}, [{'_', [], [{return_trace}]}], [{meta, Tracer}]),
    Result = in_a_process(fun work/0),
    Delivered = erlang:trace_delivered(all),
    receive {trace_delivered, all, Delivered} -> ok end,
    erlang:trace_pattern({?MODULE, '_', '_'}, false, [meta]),
    {Result, collected(Tracer)};
events(running) -> traced({{?MODULE, nothing, 0}, false, [local]}, [running], fun() -> {yielding(), work()} end);
events(session) ->
    Self = self(),
    Tracer = spawn(fun() -> collect(Self, []) end),
    Session = trace:session_create(?MODULE, Tracer, []),
    trace:function(Session, {?MODULE, '_', '_'}, true, [local]),
    Result = in_a_process(fun() -> 1 = trace:process(Session, self(), true, [call]), work() end),
    true = trace:session_destroy(Session),
    {Result, collected(Tracer)};
events(none) -> traced({{?MODULE, '_', '_'}, false, [local]}, [call], fun work/0);
events(call) -> traced(true, [call]);
events(return) -> traced([{'_', [], [{return_trace}]}], [call]);
events(exception) -> traced([{'_', [], [{exception_trace}]}], [call]);
events(caller) -> traced([{'_', [], [{message, {caller}}]}], [call]);
events(return_to) -> traced(true, [call, return_to]).

traced(Pattern, Flags) -> traced({{?MODULE, '_', '_'}, Pattern, [local]}, Flags, fun work/0).

traced({Functions, Pattern, Kinds}, Flags, Work) ->
    Self = self(),
    erlang:trace_pattern(Functions, Pattern, Kinds),
    Tracer = spawn(fun() -> collect(Self, []) end),
    Result = in_a_process(fun() ->
        erlang:trace(self(), true, [{tracer, Tracer} | Flags]),
        Got = Work(),
        erlang:trace(self(), false, [all]),
        Delivered = erlang:trace_delivered(self()),
        receive {trace_delivered, _, Delivered} -> Got end
    end),
    erlang:trace_pattern({'_', '_', '_'}, false, [local]),
    {Result, collected(Tracer)}.

counted(Kind, Which) ->
    Functions = [{factorial, 1}, {sum, 2}, {even, 1}, {odd, 1}, {catching, 1}, {double, 1}],
    erlang:trace_pattern({?MODULE, '_', '_'}, true, [Kind]),
    Result = in_a_process(fun() -> erlang:trace(self(), true, [call]), work() end),
    Counts = [{Name, Which(element(2, erlang:trace_info({?MODULE, Name, Arity}, Kind)))} || {Name, Arity} <- Functions],
    erlang:trace_pattern({?MODULE, '_', '_'}, false, [Kind]),
    {Result, Counts}.

in_a_process(Work) ->
    {Pid, Monitor} = spawn_monitor(fun() -> exit({done, Work()}) end),
    receive {'DOWN', Monitor, process, Pid, Why} -> Why end.

collect(Owner, Events) ->
    receive
        stop -> Owner ! {self(), lists:reverse(Events)};
        Event -> collect(Owner, [without_times(Event) | Events])
    end.

%% Of an event neither process nor time, which differ.
without_times(Event) ->
    [Kind, _Process | Rest] = tuple_to_list(Event),
    case Kind of trace_ts -> lists:droplast(Rest); trace -> Rest end.

collected(Tracer) ->
    Tracer ! stop,
    receive {Tracer, Events} -> Events end.
