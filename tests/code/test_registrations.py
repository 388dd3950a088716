"""BeamAsm's registrations: written by its C declarations, read back by ours; and damaged ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beamgdb.beamasm.registers import registers_of
from beamgdb.code.jit_interface import CodeEntry, entries
from beamgdb.code.module import CODE_INFO, Module, Range
from beamgdb.code.registrations import CODE_INFO_SIZE, CorruptRegistration, Emulator, FrameLayout, parse, with_prologues
from beamgdb.memory import BytesMemory
from jit.object.target import ByteOrder
from tests.code.module_strategies import modules
from tests.code.registration_writer import descriptor_segments, emulator_bytes, module_bytes

WORD_SIZES = st.sampled_from([4, 8])
BYTE_ORDERS = st.sampled_from(["little", "big"])
DESCRIPTOR, ENTRIES, FILES = 0x1000, 0x2000, 0x10000


@given(modules(max_base=1 << 31), WORD_SIZES, BYTE_ORDERS)
def test_a_module_reads_back_as_written(module: Module, word_size: int, byteorder: ByteOrder) -> None:
    assert parse(module_bytes(module, word_size, byteorder), word_size, byteorder) == module


@given(st.sampled_from(FrameLayout), st.integers(0, 2**32 - 1), WORD_SIZES, BYTE_ORDERS)
def test_the_emulator_reads_back_as_written(
    layout: FrameLayout, normal_exit: int, word_size: int, byteorder: ByteOrder
) -> None:
    emulator = Emulator(layout, normal_exit)
    assert parse(emulator_bytes(emulator, word_size, byteorder), word_size, byteorder) == emulator


def test_an_emulator_of_64_bits_has_a_wide_exit_address() -> None:
    emulator = Emulator(FrameLayout.FRAME_POINTER, 0x7FFF_1234_5678)
    assert parse(emulator_bytes(emulator), 8) == emulator


@given(modules(), st.data())
def test_a_shortened_registration_is_corrupt(module: Module, data: st.DataObject) -> None:
    raw = module_bytes(module)
    with pytest.raises(CorruptRegistration):
        parse(raw[: data.draw(st.integers(0, len(raw) - 1))], 8)


@given(st.data())
def test_damage_raises_nothing_else(data: st.DataObject) -> None:
    raw = bytearray(module_bytes(data.draw(modules())))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
    try:
        parse(bytes(raw), 8)
    except CorruptRegistration:
        pass


@given(st.binary(max_size=200), WORD_SIZES)
def test_noise_raises_nothing_else(raw: bytes, word_size: int) -> None:
    for start in (b"", b"\0\0\0\0", b"\1\0\0\0\0\0\0\0"):
        try:
            parse(start + raw, word_size)
        except CorruptRegistration:
            pass


def test_an_elf_object_is_no_registration_of_beamasm() -> None:
    with pytest.raises(CorruptRegistration, match="unknown header"):
        parse(b"\x7fELF\2\1\1" + bytes(100), 8)


def test_the_line_of_func_info_belongs_to_the_function_after_it() -> None:
    """BeamAsm lists it as the last line of the function before, in whose code it lies, and as the first of its own."""
    shared = (0x10B0, "m.erl", 7)
    first = Range(0x1040, 0x10B8, "m:f/0", ((0x1020, "m.erl", 3), (0x1050, "m.erl", 4), shared))
    second = Range(0x10E0, 0x1100, "m:g/0", (shared, (0x10F0, "m.erl", 8)))
    info = Range(0x10B8, 0x10E0, "m:g/0" + CODE_INFO, ())
    # A function that compilers make has no lines of its own.
    for before, own in ((first, ((0x1040, "m.erl", 3), (0x1050, "m.erl", 4))), (first._replace(lines=(shared,)), ())):
        read = parse(module_bytes(Module("m", 0x1000, 0x100, (before, info, second))), 8)
        assert isinstance(read, Module)
        assert [code.lines for code in read.ranges] == [own, (), ((0x10E0, "m.erl", 7), (0x10F0, "m.erl", 8))]


@given(st.lists(modules(max_base=1 << 32), max_size=5), WORD_SIZES, BYTE_ORDERS)
def test_the_list_is_read_newest_first(loaded: list[Module], word_size: int, byteorder: ByteOrder) -> None:
    written = [module_bytes(module, word_size, byteorder) for module in loaded]
    segments = descriptor_segments(written, DESCRIPTOR, ENTRIES, FILES, word_size, byteorder)
    memory = BytesMemory(segments, word_size, byteorder)
    found = list(entries(memory, DESCRIPTOR))
    assert [parse(memory.read(one.symfile, one.size), word_size, byteorder) for one in found] == loaded


def _list_of(count: int, word_size: int = 8) -> dict[int, bytes]:
    return descriptor_segments([b"x"] * count, DESCRIPTOR, ENTRIES, FILES, word_size, "little")


@pytest.mark.parametrize("word_size", [4, 8])
@pytest.mark.parametrize("back_to", [0, 1, 2])
def test_a_list_that_runs_in_a_circle_ends(word_size: int, back_to: int) -> None:
    segments = _list_of(3, word_size)
    step = len(segments[ENTRIES]) // 3
    target = (ENTRIES + back_to * step).to_bytes(word_size, "little")
    listed = segments[ENTRIES]
    segments[ENTRIES] = listed[: 2 * step] + target + listed[2 * step + word_size :]
    found = list(entries(BytesMemory(segments, word_size), DESCRIPTOR))
    assert [one.address for one in found] == [ENTRIES + n * step for n in range(3)]


def test_a_list_ends_where_it_cannot_be_read() -> None:
    segments = _list_of(3)
    segments[ENTRIES] = segments[ENTRIES][:-1]
    assert list(entries(BytesMemory(segments), DESCRIPTOR)) == [
        CodeEntry(ENTRIES, FILES, 1),
        CodeEntry(ENTRIES + 32, FILES + 17, 1),
    ]
    assert list(entries(BytesMemory({}), DESCRIPTOR)) == []
    assert list(entries(BytesMemory(_list_of(0)), DESCRIPTOR)) == []


def prologue(info: Range, size: int) -> int:
    """Bytes of it that may belong to the function: `info` begins with the function's `ErtsCodeInfo`."""
    return min(size, max(0, info.stop - info.start - CODE_INFO_SIZE))


@given(modules(), st.integers(0, 40))
def test_prologues_move_to_the_functions_and_nothing_is_lost(module: Module, size: int) -> None:
    moved = with_prologues(module, size)
    names = [code.name for code in module.ranges if not code.name.endswith(CODE_INFO) and code.start < code.stop]
    assert [code.name for code in moved.ranges if not code.name.endswith(CODE_INFO)] == names
    assert all(one.stop == other.start for one, other in zip(moved.ranges, moved.ranges[1:], strict=False))
    before = {code.name: code for code in module.ranges}
    for code in moved.ranges:
        if code.name.endswith(CODE_INFO):
            info = before[code.name]
            assert info.stop - code.stop == prologue(info, size)
            continue
        had = before[code.name]
        described = before.get(had.name + CODE_INFO)
        assert code.start == had.start - (prologue(described, size) if described is not None else 0)
        assert [line[1:] for line in code.lines] == [line[1:] for line in had.lines]
        assert [line[0] for line in code.lines[:1]] == [code.start for _ in had.lines[:1]]
        assert code.lines[1:] == had.lines[1:]


@pytest.mark.parametrize("room", [12, 16])
def test_a_prologue_is_what_stands_behind_the_code_info(room: int) -> None:
    """On 64-bit ARM it has four words in OTP 25, and three in 27."""
    stop = 0x1008 + CODE_INFO_SIZE + room
    info, code = Range(0x1008, stop, f"m:f/1{CODE_INFO}", ()), Range(stop, 0x1080, "m:f/1", ())
    machine = registers_of("aarch64", "jit", None)
    assert machine is not None
    moved = with_prologues(Module("m", 0x1000, 0x80, (info, code)), machine.prologue)
    assert [one.start for one in moved.ranges] == [0x1008, 0x1008 + CODE_INFO_SIZE]


def test_entry_points_of_beamasm_begin_with_their_code_info() -> None:
    """A frame returns to their first byte, and a debugger looks the byte before up."""
    info = Range(0x1008, 0x1030, f"erts_beamasm:normal_exit/0{CODE_INFO}", ())
    code = Range(0x1030, 0x1040, "erts_beamasm:normal_exit/0", ())
    module = Module("erts_beamasm", 0x1000, 0x40, (info, code), of_vm=True)
    assert with_prologues(module, 8).ranges == (code._replace(start=0x1008),)


def test_an_erlang_module_that_is_named_as_beamasms_own_code() -> None:
    """BeamAsm registers its prologues with the functions."""
    info = Range(0x1008, 0x1030, f"erts_beamasm:start/0{CODE_INFO}", ())
    code = Range(0x1030, 0x1040, "erts_beamasm:start/0", ((0x1030, "erts_beamasm.erl", 3),))
    module = Module("erts_beamasm", 0x1000, 0x40, (info, code))
    assert with_prologues(module, 8) == module


def test_arity_is_told_by_a_functions_name_only() -> None:
    def arity(name: str) -> int | None:
        return Range(0, 1, name, ()).arity

    assert arity("lists:foldl/3") == 3
    assert arity("'a/b':'c/1'/12") == 12
    assert arity("global::call_bif_shared") is None
    assert arity("lists::codeHeader") is None
    assert arity(f"lists:map/2{CODE_INFO}") is None
