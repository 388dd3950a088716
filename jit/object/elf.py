"""A writer of ELF files (System V ABI, generic part, chapters 4 and 5).

Sections, symbols, relocations and segments are declared in any order; ``to_bytes`` lays them out. The same
declarations give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from struct import error as StructError

from jit.object.elf_constants import (
    ELF_MAGIC,
    ELFCLASS,
    ELFDATA,
    ET,
    EV_CURRENT,
    PF,
    SHF,
    SHN,
    SHT,
    STB,
    STT,
    STV,
)
from jit.object.string_table import StringTable
from jit.object.target import Target

_SYMBOL_FIELDS = {4: "IWWBBH", 8: "IBBHWW"}
_PROGRAM_HEADER_FIELDS = {4: "IWWWWWIW", 8: "IIWWWWWW"}
_SECTION_HEADER_FIELDS = "IIWWWWIIWW"
_FILE_HEADER_FIELDS = "16sHHIWWWIHHHHHH"
_IDENT_PADDING = bytes(7)


@dataclass(eq=False)
class Section:
    """A section, and its header's fields.

    ``data`` is the content; a NOBITS section has none and says its ``size`` in bytes. ``link`` and ``info`` name
    another section or are plain numbers, as sh_link and sh_info want for the type.
    """

    name: str
    type: int = SHT.PROGBITS
    flags: int = SHF.NONE
    address: int = 0
    data: bytes | bytearray = b""
    size: int = 0
    link: Section | int = 0
    info: Section | int = 0
    align: int = 1
    entsize: int = 0

    def __post_init__(self) -> None:
        if self.type != SHT.NOBITS:
            self.size = len(self.data)
        elif self.data:
            raise ValueError(f"section {self.name!r} is NOBITS but has data")


@dataclass(eq=False)
class Symbol:
    """A handle on an added symbol, for relocations. ``order`` counts added symbols of its binding group from 0."""

    name: str
    binding: int
    order: int


@dataclass
class _Batch:
    """Symbols that differ only in name, value and size."""

    names: tuple[str, ...]
    values: tuple[int, ...]
    sizes: tuple[int, ...]
    info: int
    other: int
    section: Section | int


@dataclass
class _Segment:
    type: int
    flags: int
    sections: tuple[Section, ...]
    align: int


@dataclass(eq=False)
class _Relocations:
    section: Section
    rows: list[tuple[int, Symbol, int, int]]
    rela: bool


class ElfFile:
    """An ELF file being declared.

    ``.symtab``, ``.strtab`` and ``.shstrtab`` are made by the writer and come last; section 0 and symbol 0 too are
    the writer's. Sections keep the order in which they were added.
    """

    def __init__(self, target: Target, type: int = ET.REL, *, entry: int = 0, osabi: int = 0) -> None:
        self.target = target
        self.type = type
        self.entry = entry
        self.osabi = osabi
        self._sections: list[Section] = []
        self._batches: list[_Batch] = []
        self._counts = {True: 0, False: 0}  # is local -> symbols added
        self._segments: list[_Segment] = []
        self._relocations: list[_Relocations] = []

    def add_section(
        self,
        name: str,
        type: int = SHT.PROGBITS,
        flags: int = SHF.NONE,
        *,
        address: int = 0,
        data: bytes | bytearray = b"",
        size: int = 0,
        link: Section | int = 0,
        info: Section | int = 0,
        align: int = 1,
        entsize: int = 0,
    ) -> Section:
        """Append a section; names may repeat. Raises ValueError for NOBITS with data or an odd alignment."""
        if align & (align - 1):
            raise ValueError(f"alignment {align} of section {name!r} is not a power of two")
        section = Section(name, type, flags, address, data, size, link, info, align, entsize)
        self._sections.append(section)
        return section

    def add_symbol(
        self,
        name: str,
        value: int,
        size: int = 0,
        *,
        section: Section | int = SHN.UNDEF,
        type: int = STT.NOTYPE,
        binding: int = STB.LOCAL,
        other: int = STV.DEFAULT,
    ) -> Symbol:
        """Append one symbol. In ET_REL *value* is relative to the section, else it is an address."""
        order = self._counts[binding == STB.LOCAL]
        self.add_symbols([(name, value, size)], section=section, type=type, binding=binding, other=other)
        return Symbol(name, binding, order)

    def add_symbols(
        self,
        rows: Iterable[tuple[str, int, int]],
        *,
        section: Section | int,
        type: int = STT.FUNC,
        binding: int = STB.GLOBAL,
        other: int = STV.DEFAULT,
    ) -> None:
        """Append many symbols, as (name, value, size), that share all else."""
        columns = tuple(zip(*rows))
        if not columns:
            return
        names, values, sizes = columns
        self._batches.append(_Batch(names, values, sizes, binding << 4 | type, other, section))
        self._counts[binding == STB.LOCAL] += len(names)

    def add_relocations(
        self, section: Section, rows: Iterable[tuple[int, Symbol, int, int]], *, rela: bool = True
    ) -> None:
        """Append a relocation section for *section*: rows of (offset, symbol, type, addend).

        Without *rela* the addends must be 0: REL keeps them in the relocated field.
        """
        kept = list(rows)
        if not rela and any(addend for _, _, _, addend in kept):
            raise ValueError(f"REL relocations of {section.name!r} cannot carry an addend")
        self._relocations.append(_Relocations(section, kept, rela))

    def add_segment(self, type: int, flags: int = PF.R, sections: Sequence[Section] = (), *, align: int = 1) -> None:
        """Append a program header that spans *sections*, which must be in file order; none gives an empty one."""
        self._segments.append(_Segment(type, flags, tuple(sections), align))

    def to_bytes(self) -> bytes:
        """The whole file. Raises ValueError when a field does not fit or there are too many sections."""
        return self.laid_out()[0]

    def laid_out(self) -> tuple[bytes, dict[str, int]]:
        """The same, and by name where in it sections begin; of several of one name the last."""
        sections = [*self._sections, *self._made_sections()]
        if len(sections) + 1 >= SHN.LORESERVE:
            raise ValueError(f"{len(sections)} sections are more than {SHN.LORESERVE - 2}; SHN_XINDEX is not written")
        numbers: dict[Section, int] = {section: number for number, section in enumerate(sections, 1)}
        self._fill_symbol_table(sections, numbers)
        offsets, headers_offset, body = self._lay_out(sections)
        body.append(self._section_headers(sections, numbers, offsets))
        header = self._file_header(headers_offset, len(sections) + 1)
        whole = b"".join((header, self._program_headers(offsets), *body))
        return whole, {section.name: offset for section, offset in offsets.items()}

    def _made_sections(self) -> list[Section]:
        """The relocation sections and the three tables that follow, the symbol and name tables still empty."""
        word = self.target.address_size
        strtab = Section(".strtab", SHT.STRTAB)
        symtab = Section(".symtab", SHT.SYMTAB, link=strtab, align=word, entsize=16 if word == 4 else 24)
        made = [self._relocation_section(relocations, symtab) for relocations in self._relocations]
        return [*made, symtab, strtab, Section(".shstrtab", SHT.STRTAB)]

    def _relocation_section(self, relocations: _Relocations, symtab: Section) -> Section:
        word = self.target.address_size
        fields = ("WWi" if word == 4 else "WWq") if relocations.rela else "WW"
        first_global = self._counts[True] + 1
        pack, shift = self.target.pack, 8 if word == 4 else 32
        rows = []
        for offset, symbol, kind, addend in relocations.rows:
            index = symbol.order + (1 if symbol.binding == STB.LOCAL else first_global)
            rows.append(pack(fields, offset, index << shift | kind, *((addend,) if relocations.rela else ())))
        return Section(
            (".rela" if relocations.rela else ".rel") + relocations.section.name,
            SHT.RELA if relocations.rela else SHT.REL,
            SHF.INFO_LINK,
            data=b"".join(rows),
            link=symtab,
            info=relocations.section,
            align=word,
            entsize=self.target.struct(fields).size,
        )

    def _fill_symbol_table(self, sections: list[Section], numbers: dict[Section, int]) -> None:
        symtab, strtab, shstrtab = sections[-3:]
        strings = StringTable([""])
        fields = _SYMBOL_FIELDS[self.target.address_size]
        chunks = [bytes(symtab.entsize)]
        is_local = [batch.info >> 4 == STB.LOCAL for batch in self._batches]
        ordered = [batch for local in (True, False) for batch, flag in zip(self._batches, is_local) if flag is local]
        pack = self.target.struct(fields).pack
        for batch in ordered:
            names = strings.offsets(batch.names)
            constants = (repeat(batch.info), repeat(batch.other), repeat(_section_index(batch.section, numbers)))
            place = (batch.values, batch.sizes)
            columns = (names, *place, *constants) if self.target.address_size == 4 else (names, *constants, *place)
            try:
                chunks += map(pack, *columns)
            except StructError as error:
                raise ValueError(f"a symbol near {batch.names[0]!r} does not fit: {error}") from None
        _set_data(symtab, b"".join(chunks))
        symtab.info = self._counts[True] + 1
        _set_data(strtab, strings.to_bytes())
        section_names = StringTable(["", *(section.name for section in sections)])
        _set_data(shstrtab, section_names.to_bytes())

    def _lay_out(self, sections: list[Section]) -> tuple[dict[Section, int], int, list[bytes | bytearray]]:
        """File offsets of the sections, the offset of the section headers, and the content between with padding."""
        target = self.target
        word = target.address_size
        position = target.struct(_FILE_HEADER_FIELDS).size
        position += len(self._segments) * target.struct(_PROGRAM_HEADER_FIELDS[word]).size
        # A loader maps pages: offset and address of a loaded section must agree modulo the segment's alignment.
        pages = {section: segment.align for segment in self._segments for section in segment.sections}
        offsets: dict[Section, int] = {}
        body: list[bytes | bytearray] = []
        for section in sections:
            page = pages.get(section)
            if page is None:
                padding = -position % max(section.align, 1)
            else:
                padding = (section.address - position) % max(page, 1)
            if section.type == SHT.NOBITS:
                offsets[section] = position + (padding if page else 0)
                continue
            body += (bytes(padding), section.data)
            offsets[section] = position + padding
            position += padding + len(section.data)
        padding = -position % word
        body.append(bytes(padding))
        return offsets, position + padding, body

    def _section_headers(
        self, sections: list[Section], numbers: dict[Section, int], offsets: dict[Section, int]
    ) -> bytes:
        layout = self.target.struct(_SECTION_HEADER_FIELDS)
        strings = StringTable([""])
        names = strings.offsets(section.name for section in sections)
        rows = [bytes(layout.size)]
        for name, section in zip(names, sections):
            rows.append(
                self.target.pack(
                    _SECTION_HEADER_FIELDS,
                    name,
                    section.type,
                    section.flags,
                    section.address,
                    offsets[section],
                    section.size,
                    _section_index(section.link, numbers),
                    _section_index(section.info, numbers),
                    section.align,
                    section.entsize,
                )
            )
        return b"".join(rows)

    def _program_headers(self, offsets: dict[Section, int]) -> bytes:
        word = self.target.address_size
        rows = []
        for segment in self._segments:
            offset = address = file_size = memory_size = 0
            if segment.sections:
                first = segment.sections[0]
                offset, address = offsets[first], first.address
                memory_size = max(section.address + section.size for section in segment.sections) - address
                stored = [section for section in segment.sections if section.type != SHT.NOBITS]
                file_size = max((offsets[section] + section.size for section in stored), default=offset) - offset
            place = (offset, address, address, file_size, memory_size)
            fields = (*place, segment.flags) if word == 4 else (segment.flags, *place)
            rows.append(self.target.pack(_PROGRAM_HEADER_FIELDS[word], segment.type, *fields, segment.align))
        return b"".join(rows)

    def _file_header(self, section_headers: int, count: int) -> bytes:
        target = self.target
        word = target.address_size
        elf_class = ELFCLASS.ELFCLASS32 if word == 4 else ELFCLASS.ELFCLASS64
        data = ELFDATA.ELFDATA2LSB if target.byte_order == "little" else ELFDATA.ELFDATA2MSB
        size = target.struct(_FILE_HEADER_FIELDS).size
        segments = len(self._segments)
        return target.pack(
            _FILE_HEADER_FIELDS,
            ELF_MAGIC + bytes((elf_class, data, EV_CURRENT, self.osabi, 0)) + _IDENT_PADDING,
            self.type,
            target.machine,
            EV_CURRENT,
            self.entry,
            size if segments else 0,
            section_headers,
            target.flags,
            size,
            target.struct(_PROGRAM_HEADER_FIELDS[word]).size if segments else 0,
            segments,
            target.struct(_SECTION_HEADER_FIELDS).size,
            count,
            count - 1,  # .shstrtab is the last section
        )


def _set_data(section: Section, data: bytes) -> None:
    section.data, section.size = data, len(data)


def _section_index(section: Section | int, numbers: dict[Section, int]) -> int:
    if not isinstance(section, Section):
        return section
    if section not in numbers:
        raise ValueError(f"section {section.name!r} belongs to another file")
    return numbers[section]
