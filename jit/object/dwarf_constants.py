"""Numbers of the DWARF format, version 5 (DWARF 5, chapter 7; section numbers beside each class).

Classes are named as the prefixes of the specification: ``DW_TAG.subprogram`` is DW_TAG_subprogram. A trailing
underscore avoids a Python keyword.
"""

from __future__ import annotations

from enum import IntEnum

DWARF_VERSION = 5
#: Versions that tables keep of their own: 6.1.2 (.debug_aranges), 6.4.1 (the CIE of .debug_frame).
ARANGES_VERSION = 2
CIE_VERSION = 4
#: The CIE_id of .debug_frame in the 32-bit format (6.4.1).
CIE_ID = 0xFFFFFFFF


class DW_UT(IntEnum):
    """Unit types, 7.5.1."""

    compile = 1
    type = 2
    partial = 3


class DW_TAG(IntEnum):
    """Tags, 7.5.3."""

    array_type = 0x01
    enumeration_type = 0x04
    formal_parameter = 0x05
    label = 0x0A
    lexical_block = 0x0B
    member = 0x0D
    pointer_type = 0x0F
    compile_unit = 0x11
    structure_type = 0x13
    subroutine_type = 0x15
    typedef = 0x16
    union_type = 0x17
    unspecified_parameters = 0x18
    variant = 0x19
    inlined_subroutine = 0x1D
    module = 0x1E
    subrange_type = 0x21
    base_type = 0x24
    const_type = 0x26
    enumerator = 0x28
    subprogram = 0x2E
    variant_part = 0x33
    variable = 0x34
    volatile_type = 0x35
    namespace = 0x39
    unspecified_type = 0x3B
    partial_unit = 0x3C
    call_site = 0x48
    call_site_parameter = 0x49


class DW_AT(IntEnum):
    """Attributes, 7.5.4."""

    sibling = 0x01
    location = 0x02
    name = 0x03  # type: ignore[assignment]  # Enum lets a member shadow its own property
    byte_size = 0x0B
    bit_size = 0x0D
    stmt_list = 0x10
    low_pc = 0x11
    high_pc = 0x12
    language = 0x13
    comp_dir = 0x1B
    const_value = 0x1C
    inline = 0x20
    lower_bound = 0x22
    producer = 0x25
    prototyped = 0x27
    upper_bound = 0x2F
    abstract_origin = 0x31
    artificial = 0x34
    count = 0x37
    data_member_location = 0x38
    decl_column = 0x39
    decl_file = 0x3A
    decl_line = 0x3B
    declaration = 0x3C
    encoding = 0x3E
    external = 0x3F
    frame_base = 0x40
    specification = 0x47
    type = 0x49
    entry_pc = 0x52
    ranges = 0x55
    call_column = 0x57
    call_file = 0x58
    call_line = 0x59
    description = 0x5A
    data_bit_offset = 0x6B
    linkage_name = 0x6E
    call_all_calls = 0x7A
    call_return_pc = 0x7D
    call_value = 0x7E
    call_origin = 0x7F
    call_pc = 0x81
    call_tail_call = 0x82
    call_target = 0x83
    noreturn = 0x87
    alignment = 0x88


class DW_FORM(IntEnum):
    """Forms, 7.5.6."""

    addr = 0x01
    block2 = 0x03
    block4 = 0x04
    data2 = 0x05
    data4 = 0x06
    data8 = 0x07
    string = 0x08
    block = 0x09
    block1 = 0x0A
    data1 = 0x0B
    flag = 0x0C
    sdata = 0x0D
    strp = 0x0E
    udata = 0x0F
    ref4 = 0x13
    sec_offset = 0x17
    exprloc = 0x18
    flag_present = 0x19
    line_strp = 0x1F


class DW_ATE(IntEnum):
    """Encodings of base types, 7.8."""

    address = 0x01
    boolean = 0x02
    float = 0x04
    signed = 0x05
    signed_char = 0x06
    unsigned = 0x07
    unsigned_char = 0x08


class DW_LANG(IntEnum):
    """Languages, 7.12; the last is from the vendors' range."""

    C89 = 0x01
    C = 0x02
    C99 = 0x0C
    C11 = 0x1D
    Mips_Assembler = 0x8001


class DW_INL(IntEnum):
    """Inline codes, 7.20."""

    not_inlined = 0
    inlined = 1


class DW_RLE(IntEnum):
    """Range list entries, 7.25."""

    end_of_list = 0x00
    offset_pair = 0x04
    base_address = 0x05
    start_length = 0x07


class DW_LLE(IntEnum):
    """Location list entries, 7.7.3."""

    end_of_list = 0x00
    offset_pair = 0x04
    default_location = 0x05
    base_address = 0x06
    start_length = 0x08


class DW_LNS(IntEnum):
    """Standard opcodes of the line number program, 7.22."""

    copy = 0x01
    advance_pc = 0x02
    advance_line = 0x03
    set_file = 0x04
    set_column = 0x05
    negate_stmt = 0x06
    set_basic_block = 0x07
    const_add_pc = 0x08
    fixed_advance_pc = 0x09
    set_prologue_end = 0x0A
    set_epilogue_begin = 0x0B
    set_isa = 0x0C


class DW_LNE(IntEnum):
    """Extended opcodes of the line number program, 7.22."""

    end_sequence = 0x01
    set_address = 0x02
    set_discriminator = 0x04


class DW_LNCT(IntEnum):
    """Content types of the line number header, 7.22."""

    path = 0x1
    directory_index = 0x2


class DW_CFA(IntEnum):
    """Call frame instructions, 7.24; the first three keep an operand in their low six bits."""

    advance_loc = 0x40
    offset = 0x80
    restore = 0xC0
    nop = 0x00
    set_loc = 0x01
    advance_loc1 = 0x02
    advance_loc2 = 0x03
    advance_loc4 = 0x04
    offset_extended = 0x05
    restore_extended = 0x06
    undefined = 0x07
    same_value = 0x08
    register = 0x09
    remember_state = 0x0A
    restore_state = 0x0B
    def_cfa = 0x0C
    def_cfa_register = 0x0D
    def_cfa_offset = 0x0E
    def_cfa_expression = 0x0F
    expression = 0x10
    offset_extended_sf = 0x11
    def_cfa_sf = 0x12
    def_cfa_offset_sf = 0x13
    val_offset = 0x14
    val_offset_sf = 0x15
    val_expression = 0x16


class DW_OP(IntEnum):
    """Expression operations, 7.7.1; ``lit0``, ``reg0`` and ``breg0`` begin runs of 32."""

    addr = 0x03
    deref = 0x06
    const1u = 0x08
    const1s = 0x09
    const2u = 0x0A
    const2s = 0x0B
    const4u = 0x0C
    const4s = 0x0D
    const8u = 0x0E
    const8s = 0x0F
    constu = 0x10
    consts = 0x11
    dup = 0x12
    drop = 0x13
    over = 0x14
    pick = 0x15
    swap = 0x16
    rot = 0x17
    and_ = 0x1A
    div = 0x1B
    minus = 0x1C
    mod = 0x1D
    mul = 0x1E
    neg = 0x1F
    not_ = 0x20
    or_ = 0x21
    plus = 0x22
    plus_uconst = 0x23
    shl = 0x24
    shr = 0x25
    shra = 0x26
    xor = 0x27
    bra = 0x28
    eq = 0x29
    ge = 0x2A
    gt = 0x2B
    le = 0x2C
    lt = 0x2D
    ne = 0x2E
    skip = 0x2F
    lit0 = 0x30
    reg0 = 0x50
    breg0 = 0x70
    regx = 0x90
    fbreg = 0x91
    bregx = 0x92
    piece = 0x93
    deref_size = 0x94
    nop = 0x96
    call_frame_cfa = 0x9C
    bit_piece = 0x9D
    implicit_value = 0x9E
    stack_value = 0x9F
    entry_value = 0xA3
