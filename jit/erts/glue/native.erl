%% Native code for modules whose .beam file carries some: what is loaded after start/0 runs natively.
%%
%% Start a node with `-s native` for modules that are loaded later than those of kernel and stdlib that every node
%% needs, or with the boot script of jit/erts/boot.py for all but the preloaded ones. No other module may be needed
%% here.
-module(native).
-export([start/0, loaded/0, modules/0, nif_loaded/1]).

%% Load the library, and try on this VM whether it knows its ways. If not, everything runs interpreted. The library
%% stays when this module goes; when it is loaded again, modules/0 finds the library.
start() ->
    case erlang:load_nif(rootname(file()), 0) of
        ok -> begin_if_right(wrong_fields());
        {error, {reload, _}} -> ok;
        {error, {load, _}} -> ok; % the library has said why
        {error, Why} ->
            erlang:display_string("native: everything runs interpreted: "),
            erlang:display(Why),
            ok
    end.

%% How many instances of modules have native code now.
loaded() ->
    length(modules()).

%% Their names: one may be there twice, its old code and its current. An error where another build of the library is at
%% work, which alone knows them.
modules() ->
    start(),
    %% Native code must not take a NIF of the library for one of its own functions: none is exported.
    names().

%% Called by modules with native code behind each call of erlang:load_nif/2, whose result this takes and gives.
nif_loaded(Result) ->
    start(),
    follow_replacements(),
    Result.

begin_if_right([]) ->
    case catch_loading() of
        true -> ok;
        Wrong -> complain(Wrong)
    end;
begin_if_right(Wrong) ->
    complain({not_where_expected, Wrong}).

file() ->
    case erlang:whereis(code_server) of
        undefined ->
            {ok, _, File} = erl_prim_loader:get_file("native.beam"),
            File;
        _ ->
            code:which(?MODULE)
    end.

rootname(".beam") -> [];
rootname([Character | Rest]) -> [Character | rootname(Rest)].

%%% Fields of the VM's structures: what is known of them must show there.

%% Made by jit/erts/glue.py of jit/otp: flags, states, and words of terms.
-include("facts.hrl").

%% Milliseconds at least until it is given up that something comes true.
-define(TRIES, 10000).

%% The names of fields, and of functions, that are not where they are expected.
wrong_fields() ->
    %% In a process of its own, of which all is known.
    {Pid, Monitor} = spawn_monitor(fun() -> exit(wrong(experiments()) ++ functions()) end),
    receive {'DOWN', Monitor, process, Pid, Wrong} -> Wrong end.

wrong([{Name, Right} | Rest]) ->
    try Right() of
        true -> wrong(Rest);
        _ -> [Name | wrong(Rest)]
    catch
        _:_ -> [Name | wrong(Rest)]
    end;
wrong([]) -> [].

experiments() ->
    [{virtual_heap, fun virtual_heap/0},
     {flags, fun flags/0},
     {catches, fun catches/0},
     {fcalls, fun fcalls/0},
     {fvalue, fun fvalue/0},
     {state,
      fun() -> process(<<"state">>) band (?ERTS_PSFLG_RUNNING bor ?ERTS_PSFLG_EXITING) =:= ?ERTS_PSFLG_RUNNING end},
     {lock, fun() -> process(<<"lock.flags">>) band ?ERTS_PROC_LOCKS_ALL =:= ?ERTS_PROC_LOCK_MAIN end},
     {seq_trace_token, fun() -> process(<<"seq_trace_token">>) =:= ?TAG_NIL end},
     {heap, fun heap/0},
     {mbuf, fun mbuf/0},
     {off_heap, fun off_heap/0},
     {messages, fun messages/0},
     {registers, fun registers/0},
     {scheduler, fun scheduler/0},
     {call_nif, fun() -> is_settled(?TRIES) end}].

%% NIFs are called in another way until all schedulers know of them.
is_settled(0) ->
    false;
is_settled(Tries) ->
    call_nif() orelse
        begin
            receive after 1 -> ok end,
            is_settled(Tries - 1)
        end.

process(Field) ->
    peek(process, <<"Process.", Field/binary>>).

message(Address, Field) ->
    peek(Address, <<"ErtsMessage.", Field/binary>>).

flags() ->
    Before = process(<<"flags">>),
    false = process_flag(trap_exit, true),
    After = process(<<"flags">>),
    true = process_flag(trap_exit, false),
    Before bxor After =:= ?F_TRAP_EXIT.

catches() ->
    Before = process(<<"catches">>),
    Inside = try process(<<"catches">>) catch _:_ -> none end,
    Inside =:= Before + 1.

%% Reductions left; more of them if the process was out of time in between.
fcalls() ->
    Before = process(<<"fcalls">>),
    count(100),
    After = process(<<"fcalls">>),
    Before =< ?CONTEXT_REDS andalso (After > Before orelse Before - After >= 100 andalso Before - After < 200).

count(0) -> ok;
count(N) -> count(N - 1).

fvalue() ->
    try raise(expected) catch error:Reason -> Reason =:= expected end.

heap() ->
    erlang:garbage_collect(),
    Old = process(<<"high_water">>),
    Top = process(<<"htop">>),
    Old =< Top andalso Top < process(<<"stop">>) andalso Top - Old < 4000.

%% Big integers are made outside of the heap.
mbuf() ->
    erlang:garbage_collect(),
    0 = process(<<"mbuf">>),
    0 = process(<<"mbuf_sz">>),
    Big = count_up(1 bsl 320),
    Size = process(<<"mbuf_sz">>),
    Outside = process(<<"mbuf">>) =/= 0,
    Big > 0 andalso Outside andalso Size >= 11 andalso Size < 100.

count_up(N) -> N + 1.

%% Words of binaries outside of the heap.
off_heap() ->
    erlang:garbage_collect(),
    Before = process(<<"off_heap.overhead">>),
    Binary = list_to_binary(bytes(4000)),
    After = process(<<"off_heap.overhead">>),
    After - Before =:= byte_size(Binary) div 4.

bytes(0) -> [];
bytes(N) -> [N band 255 | bytes(N - 1)].

virtual_heap() ->
    {garbage_collection_info, Told} = process_info(self(), garbage_collection_info),
    {_, Size} = lists:keyfind(bin_vheap_block_size, 1, Told),
    process(<<"bin_vheap_sz">>) =:= Size.

%% A message comes into the outer queue, and into the inner one when it is looked for.
messages() ->
    0 = process(<<"sig_inq.first">>),
    0 = process(<<"sig_inq_buffers">>),
    0 = process(<<"sig_qs.first">>),
    0 = process(<<"sig_qs.cont">>),
    0 = process(<<"sig_qs.recv_mrk_blk">>),
    First = address(<<"Process.sig_qs.first">>),
    First = process(<<"sig_qs.last">>),
    First = process(<<"sig_qs.save">>),
    Word = word(expected),
    self() ! expected,
    Word = message(process(<<"sig_inq.first">>), <<"m">>),
    receive other -> ok after 0 -> ok end,
    0 = process(<<"sig_inq.first">>),
    Message = process(<<"sig_qs.first">>),
    Word = message(Message, <<"m">>),
    0 = message(Message, <<"next">>),
    First = process(<<"sig_qs.save">>),
    Last = process(<<"sig_qs.last">>),
    0 = message(Last, <<"next">>),
    receive expected -> ok end,
    First = process(<<"sig_qs.last">>),
    0 = process(<<"sig_qs.first">>),
    true.

%% The last float is left in its register, as are the place and the end of the binary made last.
registers() ->
    Float = half(word(x) * 3),
    <<Low:32/little, High:32/little>> = <<Float:64/float-little>>,
    _ = half(word(x) * 3),
    At = peek(registers, <<"ErtsSchedulerRegisters.f_reg_array">>),
    Low =:= At andalso is_integer(High).

half(N) -> N / 2.

scheduler() ->
    Scheduler = process(<<"scheduler_data">>),
    Reductions = peek(Scheduler, <<"ErtsSchedulerData.virtual_reds">>),
    is_integer(Reductions) andalso Reductions =< ?CONTEXT_REDS.

%%% The library's functions.

names() -> [].
follow_replacements() -> ok.
complain(_Why) -> erlang:nif_error(not_loaded).
catch_loading() -> erlang:nif_error(not_loaded).
call_nif() -> erlang:nif_error(not_loaded).
functions() -> erlang:nif_error(not_loaded).
peek(_Base, _Field) -> erlang:nif_error(not_loaded).
address(_Field) -> erlang:nif_error(not_loaded).
word(_Term) -> erlang:nif_error(not_loaded).
raise(_Reason) -> erlang:nif_error(not_loaded).
