%% What the node knows of itself, for a debugger to be compared with.
-module(facts).
-export([start/1, watch/1, print/0]).

-define(STEADY_MS, 400).

%% Print the facts of this moment.
print() ->
    [io:format("fact ~s ~s~n", [Name, Fact]) || {Name, Fact} <- facts()],
    ok.

%% Write the facts to File when processes no longer come and go; the process that does it stays.
start(File) ->
    spawn(?MODULE, watch, [File]),
    ok.

watch(File) ->
    Before = facts(),
    receive after ?STEADY_MS -> ok end,
    %% The second reading loads nothing that the first has not loaded.
    case facts() of
        Before ->
            ok = file:write_file(File ++ ".part", [io_lib:format("~s\t~s~n", [Name, Fact]) || {Name, Fact} <- Before]),
            case facts() of
                Before -> ok = file:rename(File ++ ".part", File);
                _ -> watch(File)
            end,
            receive never -> ok end;
        _ ->
            watch(File)
    end.

facts() ->
    Modules = [Module || {Module, _} <- code:all_loaded()],
    [{otp_release, erlang:system_info(otp_release)},
     {cflags, proplists:get_value(cflags, erlang:system_info(compile_info))},
     {erts_version, erlang:system_info(version)},
     {flavor, atom_to_list(erlang:system_info(emu_flavor))},
     {schedulers, integer_to_list(erlang:system_info(schedulers))},
     {dirty_cpu_schedulers, integer_to_list(erlang:system_info(dirty_cpu_schedulers))},
     {dirty_io_schedulers, integer_to_list(erlang:system_info(dirty_io_schedulers))},
     {node, io_lib:write_atom(node())},
     {async_threads, integer_to_list(erlang:system_info(thread_pool_size))},
     {processes, integer_to_list(erlang:system_info(process_count))},
     {atoms, integer_to_list(erlang:system_info(atom_count))},
     {modules, integer_to_list(length(Modules))},
     {functions, integer_to_list(lists:sum([length(M:module_info(functions)) || M <- Modules]))}].
