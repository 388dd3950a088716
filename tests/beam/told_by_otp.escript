%% What Erlang/OTP's own tools say of .beam files, as one term in the external format on standard output: a list of
%% {Module, Functions, Atoms, Imports, Exports, Literals, FunctionLines}, in the order of the files given.

-include_lib("compiler/src/beam_disasm.hrl").

main(Files) ->
    ok = io:setopts(standard_io, [{encoding, latin1}, binary]),
    ok = file:write(standard_io, term_to_binary([told(File) || File <- Files], [{minor_version, 2}])).

told(File) ->
    #beam_file{code = Code} = beam_disasm:file(File),
    {ok, {Module, [{atoms, Atoms}, {indexed_imports, Imports}, {labeled_exports, Exports}, {"StrT", Strings}]}} =
        beam_lib:chunks(File, [atoms, indexed_imports, labeled_exports, "StrT"]),
    Functions = [{Name, Arity, Entry, [instruction(whole(I, Strings)) || I <- Is]}
                 || {function, Name, Arity, Entry, Is} <- Code],
    {Module, Functions, [Atom || {_, Atom} <- Atoms], Imports, Exports, literals(File), lines(File)}.

%% beam_disasm of OTP 25 leaves this operation half done.
whole({bs_create_bin, [{Fail, Heap, Live, Unit, Dst, {z, 1}, {u, _}, Segments}]}, Strings) ->
    {bs_create_bin, Fail, Heap, Live, Unit, Dst, {list, segments(Segments, Strings)}};
whole(Instruction, _) -> Instruction.

segments([{atom, string} = Type, Index, Unit, Flags, {u, Offset}, {i, Size} | Rest], Strings) ->
    [Type, Index, Unit, Flags, {string, binary:part(Strings, Offset, Size)}, {i, Size} | segments(Rest, Strings)];
segments([Type, Index, Unit, Flags, Value, Size | Rest], Strings) ->
    [Type, Index, Unit, Flags, Value, Size | segments(Rest, Strings)];
segments([], _) -> [].

%% Types are records that differ from release to release: told by the bits that stand for them in the Type chunk, and by
%% their bounds where beam_disasm tells them apart (OTP 25).
instruction({tr, Register, {Type, Min, Max}}) when is_integer(Min), is_integer(Max) ->
    {tr, Register, bits(Type), signed(Min), signed(Max)};
instruction({tr, Register, Type}) -> {tr, Register, bits(Type)};
instruction({literal, _} = Literal) -> Literal;
instruction(Tuple) when is_tuple(Tuple) -> list_to_tuple(instruction(tuple_to_list(Tuple)));
instruction([Head | Tail]) -> [instruction(Head) | instruction(Tail)];
instruction(Leaf) -> Leaf.

%% They are read without their sign.
signed(Bound) ->
    <<Signed:64/signed>> = <<Bound:64>>,
    Signed.

bits(Type) ->
    <<Bits:16, _/binary>> = beam_types:encode_ext(Type),
    Bits.

literals(File) ->
    case beam_lib:chunks(File, ["LitT"]) of
        {ok, {_, [{_, <<0:32, Table/binary>>}]}} -> literals_of(Table);
        {ok, {_, [{_, <<_:32, Compressed/binary>>}]}} -> literals_of(zlib:uncompress(Compressed));
        {error, beam_lib, {missing_chunk, _, _}} -> []
    end.

literals_of(<<_Count:32, Table/binary>>) ->
    [binary_to_term(Term) || <<Size:32, Term:Size/binary>> <= Table].

%% Where functions begin in the source, for those with abstract code.
lines(File) ->
    case beam_lib:chunks(File, [abstract_code]) of
        {ok, {_, [{abstract_code, {raw_abstract_v1, Forms}}]}} ->
            [{Name, Arity, erl_anno:line(Anno)} || {function, Anno, Name, Arity, _} <- Forms];
        _ ->
            none
    end.
