%% What the VM has besides processes, and what the node itself says of it: a line "KIND ID KEY VALUE" for each thing.
-module(inventory).
-export([start/0, connect/1]).

-define(ITEMS, [name, connected, input, output, os_pid, links, monitors, monitored_by, registered_name, queue_size]).

start() ->
    Self = self(),
    spawn(fun() -> Self ! {ports, ports()}, receive never -> ok end end),
    Ports = receive {ports, Opened} -> Opened end,
    [tell(Kind, Port) || {Kind, Port} <- Ports],
    [print(port, Port, exists, true) || Port <- erlang:ports()],
    persistent_terms(),
    nodes_known(),
    timers(),
    allocators(),
    ok.

%% -- ports ------------------------------------------------------------------------------------------------------------

ports() ->
    {ok, Listening} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}, {active, false}]),
    {ok, Number} = inet:port(Listening),
    {ok, Connected} = gen_tcp:connect({127, 0, 0, 1}, Number, [{active, false}]),
    {ok, Accepted} = gen_tcp:accept(Listening),
    ok = gen_tcp:send(Connected, lists:duplicate(1000, $x)),
    {ok, _} = gen_tcp:recv(Accepted, 1000),
    ok = inet:setopts(Connected, [{active, true}]),
    {ok, Datagrams} = gen_udp:open(0),
    true = register('a port', Datagrams),
    Watched = open_port({spawn_driver, "ram_file_drv"}, [binary]),
    Self = self(),
    spawn(fun() -> erlang:monitor(port, Watched), Self ! known, receive never -> ok end end),
    spawn(fun() -> link(Watched), Self ! known, receive never -> ok end end),
    [receive known -> ok end || _ <- [monitor, link]],
    socket_of_nif(),
    [{listening, Listening}, {connected, Connected}, {accepted, Accepted}, {datagrams, Datagrams}, {watched, Watched},
     {program, program()}].

socket_of_nif() ->
    {ok, Socket} = socket:open(inet, dgram),
    {ok, Fd} = socket:getopt(Socket, {otp, fd}),
    {select, _} = socket:recvfrom(Socket, 0, [], nowait),
    print(fd, Fd, reader, self()).

%% It reads nothing, and ends soon after the node; a process waits until it can send to it.
program() ->
    Program = open_port({spawn, "sh -c 'while kill -0 $PPID 2>/dev/null; do sleep 1; done'"}, []),
    Waits = spawn(fun() -> port_command(Program, binary:copy(<<"x">>, 1 bsl 20)), port_command(Program, "y") end),
    suspended(Waits),
    print(port, Program, suspended, Waits),
    Program.

suspended(Pid) ->
    case process_info(Pid, status) of
        {status, suspended} -> ok;
        _ -> erlang:yield(), suspended(Pid)
    end.

tell(Kind, Port) ->
    print(port, Port, kind, Kind),
    [print(port, Port, Key, Value) || Item <- ?ITEMS, {Key, Value} <- [erlang:port_info(Port, Item)]],
    [print(port, Port, fd, Fd) || Kind =/= watched, Kind =/= program, {ok, Fd} <- [inet:getfd(Port)]].

%% -- timers -----------------------------------------------------------------------------------------------------------

timers() ->
    Self = self(),
    Waits = spawn(fun() -> Self ! waits, receive never -> ok after 1000000 -> ok end end),
    receive waits -> ok end,
    steady(Waits),
    print(timer, Waits, kind, 'receive'),
    [begin
         Timer = erlang:start_timer(2000000 + 1000 * N, Waits, {number, N}),
         print(timer, Timer, kind, message),
         print(timer, Timer, receiver, Waits),
         print(timer, Timer, message, {timeout, Timer, {number, N}})
     end || N <- lists:seq(1, 50)],
    Named = erlang:send_after(3000000, 'a process', "text"),
    print(timer, Named, receiver, 'a process'),
    print(timer, Named, message, "text"),
    erlang:cancel_timer(erlang:send_after(3000000, self(), canceled)).

steady(Pid) ->
    case process_info(Pid, status) of
        {status, waiting} -> ok;
        _ -> erlang:yield(), steady(Pid)
    end.

%% -- nodes ------------------------------------------------------------------------------------------------------------

nodes_known() ->
    [print(node, Node, known, true) || Node <- nodes(known)],
    [print(node, Node, kind, Kind) || Kind <- [visible, hidden], Node <- nodes(Kind)],
    [print(node, Node, channel, Channel) || {Node, Channel} <- erlang:system_info(dist_ctrl)].

%% Connect to a node as soon as it is there.
connect(Node) ->
    case net_kernel:connect_node(Node) of
        true -> Node = rpc:call(Node, erlang, node, []), nodes_known();
        false -> receive after 100 -> connect(Node) end
    end.

%% -- allocators --------------------------------------------------------------------------------------------------------

allocators() ->
    [print(memory, Kind, size, Size) || {Kind, Size} <- erlang:memory()],
    [[print(allocator, Name, Key, Value) || {Key, Value} <- allocator(Name)]
     || Name <- erlang:system_info(alloc_util_allocators), is_list(erlang:system_info({allocator, Name}))].

%% Sums over instances, and in them over carriers of many blocks, those in the pool, and carriers of single ones.
allocator(Name) ->
    Instances = [Info || {instance, _, Info} <- erlang:system_info({allocator, Name})],
    Kinds = [{Kind, Info} || Instance <- Instances, {Kind, Info} <- Instance, lists:member(Kind, [mbcs, mbcs_pool, sbcs])],
    Blocks = [Counts || {_, Info} <- Kinds, {blocks, Types} <- Info, {_, Counts} <- Types],
    [{instances, length(Instances)},
     {multiblock, sum(carriers, [Info || {Kind, Info} <- Kinds, Kind =/= sbcs])},
     {singleblock, sum(carriers, [Info || {sbcs, Info} <- Kinds])},
     {pooled, sum(carriers, [Info || {mbcs_pool, Info} <- Kinds])},
     {size, sum(carriers_size, [Info || {_, Info} <- Kinds])},
     {blocks, sum(count, Blocks)},
     {used, sum(size, Blocks)}].

sum(Key, Lists) -> lists:sum([element(2, lists:keyfind(Key, 1, List)) || List <- Lists]).

%% -- persistent terms -------------------------------------------------------------------------------------------------

%% (None is erased: that makes all processes collect garbage, for a test of their reductions to see.)
persistent_terms() ->
    [persistent_term:put({?MODULE, N}, lists:seq(1, N)) || N <- lists:seq(1, 20)],
    persistent_term:put(large, binary:copy(<<"large">>, 20)),
    persistent_term:put(small, 1),
    [print(persistent, Key, value, Value) || {Key, Value} <- persistent_term:get(), own(Key)],
    [print(persistent, all, Key, Value) || {Key, Value} <- maps:to_list(persistent_term:info())].

own({?MODULE, _}) -> true;
own(Key) -> lists:member(Key, [large, small]).

%% ---------------------------------------------------------------------------------------------------------------------

print(Kind, Id, Key, Values) when Key =:= links; Key =:= monitors; Key =:= monitored_by ->
    [io:format("~s ~0p ~s ~0p~n", [Kind, Id, Key, Value]) || Value <- Values];
print(Kind, Id, Key, Value) ->
    io:format("~s ~0p ~s ~0p~n", [Kind, Id, Key, Value]).
