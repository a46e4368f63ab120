"""The search for relocations that name an allocator: a process has some hundred thousand relocations, and Python
would look at each of them for as long as the rest of the installation takes.
"""

from __future__ import annotations

from pytest_adalloc.hooks.native.spelling import FUNCTION

SYMBOL = "adalloc_scan"
PREFIX_BYTES = 4  # the shortest name with its final zero


def scan_text(triple: str) -> str:
    """``i64 adalloc_scan(rows, count, symbols, strings, string_bytes, names, name_count, kinds, found)``.

    ``rows`` are relocations with addends, ``names`` pairs (address, bytes with the final zero), ``kinds`` three
    relocation types. Writes pairs (row, name) into ``found``, which has room for ``count``, and returns how many.
    Relocations with an addend are no plain pointers and left out.
    """
    return f"""
target triple = "{triple}"
define i64 @{SYMBOL}(ptr %rows, i64 %count, ptr %symbols, ptr %strings, i64 %string.bytes, ptr %names, i64 %name.count,
    ptr %kinds, ptr %found) {FUNCTION} {{
start:
  %kind.0 = load i64, ptr %kinds
  %kind.1.at = getelementptr i64, ptr %kinds, i64 1
  %kind.1 = load i64, ptr %kind.1.at
  %kind.2.at = getelementptr i64, ptr %kinds, i64 2
  %kind.2 = load i64, ptr %kind.2.at
  br label %next
next:
  %i = phi i64 [0, %start], [%i.next, %again]
  %number = phi i64 [0, %start], [%number.next, %again]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %look, label %done
look:
  %row = getelementptr [3 x i64], ptr %rows, i64 %i
  %info.at = getelementptr i64, ptr %row, i64 1
  %info = load i64, ptr %info.at
  %kind = and i64 %info, 4294967295
  %is.0 = icmp eq i64 %kind, %kind.0
  %is.1 = icmp eq i64 %kind, %kind.1
  %is.2 = icmp eq i64 %kind, %kind.2
  %is.01 = or i1 %is.0, %is.1
  %wanted = or i1 %is.01, %is.2
  %symbol = lshr i64 %info, 32
  %named = icmp ne i64 %symbol, 0
  %addend.at = getelementptr i64, ptr %row, i64 2
  %addend = load i64, ptr %addend.at
  %plain = icmp eq i64 %addend, 0
  %a = and i1 %wanted, %named
  %b = and i1 %a, %plain
  br i1 %b, label %read, label %again
read:
  %entry = getelementptr [24 x i8], ptr %symbols, i64 %symbol
  %offset.32 = load i32, ptr %entry
  %offset = zext i32 %offset.32 to i64
  %text = getelementptr i8, ptr %strings, i64 %offset
  %room = sub i64 %string.bytes, %offset
  %long = icmp sge i64 %room, {PREFIX_BYTES}
  br i1 %long, label %begin, label %again
begin:
  %prefix = load i32, ptr %text, align 1
  br label %try
try:
  %k = phi i64 [0, %begin], [%k.next, %other]
  %k.more = icmp ult i64 %k, %name.count
  br i1 %k.more, label %compare, label %again
compare:
  %name.at = getelementptr [2 x ptr], ptr %names, i64 %k
  %name = load ptr, ptr %name.at
  %name.prefix = load i32, ptr %name, align 1
  %like = icmp eq i32 %prefix, %name.prefix
  br i1 %like, label %measure, label %other
measure:
  %size.at = getelementptr i64, ptr %name.at, i64 1
  %size = load i64, ptr %size.at
  %fits = icmp ule i64 %size, %room
  br i1 %fits, label %byte, label %other
byte:
  %at = phi i64 [{PREFIX_BYTES}, %measure], [%at.next, %same]
  %end = icmp uge i64 %at, %size
  br i1 %end, label %hit, label %check
check:
  %mine = getelementptr i8, ptr %text, i64 %at
  %mine.byte = load i8, ptr %mine
  %theirs = getelementptr i8, ptr %name, i64 %at
  %theirs.byte = load i8, ptr %theirs
  %equal = icmp eq i8 %mine.byte, %theirs.byte
  br i1 %equal, label %same, label %other
same:
  %at.next = add i64 %at, 1
  br label %byte
other:
  %k.next = add i64 %k, 1
  br label %try
hit:
  %out = getelementptr [2 x i64], ptr %found, i64 %number
  store i64 %i, ptr %out
  %out.name = getelementptr i64, ptr %out, i64 1
  store i64 %k, ptr %out.name
  %number.more = add i64 %number, 1
  br label %again
again:
  %number.next = phi i64 [%number, %look], [%number, %read], [%number, %try], [%number.more, %hit]
  %i.next = add i64 %i, 1
  br label %next
done:
  ret i64 %number
}}
"""
