%% Compiles modules on demand: terms {Source, Folder, Options} on standard input, an answer in one line for each.
%% With an option {mutated, Seed} to assembly that the compiler does not make: see mutate.erl.
-module(compile_server).
-export([start/1]).

%% Patience: milliseconds for one module.
start([Patience]) ->
    loop(list_to_integer(atom_to_list(Patience))).

loop(Patience) ->
    case io:read("") of
        {ok, {Source, Folder, Options}} ->
            Answer = in_time(fun() -> compiled(Source, [{outdir, Folder}, return | Options]) end, Patience),
            io:format("~0tp~n", [Answer]),
            loop(Patience);
        eof ->
            halt()
    end.

%% For some sources the compiler's analysis of types takes minutes.
in_time(Work, Patience) ->
    {Pid, Monitor} = spawn_monitor(fun() -> exit({done, Work()}) end),
    receive
        {'DOWN', Monitor, process, Pid, {done, Answer}} -> Answer;
        {'DOWN', Monitor, process, Pid, Reason} -> {error, Reason}
    after Patience ->
        exit(Pid, kill),
        receive {'DOWN', Monitor, process, Pid, _} -> {error, slow} end
    end.

compiled(Source, Options) ->
    case lists:keytake(mutated, 1, Options) of
        {value, {mutated, Seed}, Rest} -> mutated(Source, Seed, Rest);
        false -> answer(compile:file(Source, Options))
    end.

%% The validator writes to the standard output where it fails on code that is too odd for it.
mutated(Source, Seed, Options) ->
    group_leader(spawn_link(fun deaf/0), self()),
    case compile:file(Source, ['S', binary, no_type_opt | Options]) of
        {ok, _, Code, _} ->
            answer(assembled(Source, mutate:mutate(Code, Seed), Options));
        Error ->
            answer(Error)
    end.

deaf() ->
    receive {io_request, From, Tag, _} -> From ! {io_reply, Tag, ok} end,
    deaf().

assembled(Source, {Module, _, _, _, _} = Code, Options) ->
    case compile:forms(Code, [from_asm, binary, return]) of
        {ok, _, Beam, Warnings} ->
            Path = filename:join(proplists:get_value(outdir, Options), atom_to_list(Module)),
            ok = file:write_file(Path ++ ".beam", Beam),
            ok = file:write_file(filename:rootname(Source) ++ ".S", io_lib:format("~p.~n", [Code])),
            {ok, Module, Warnings};
        Error ->
            Error
    end.

answer(Result) ->
    case Result of
        {ok, _, _} -> ok;
        {error, Errors, _} -> {error, [{Line, text(M, What)} || {_, Some} <- Errors, {Line, M, What} <- Some]}
    end.

text(Module, What) ->
    unicode:characters_to_binary(Module:format_error(What)).
