"""The native wrappers as LLVM IR: two `vectorcall` functions, driven by a block of words, that serve every kernel.

Tables rather than code per signature: compiled once, cached, shared by all handles, and within a few nanoseconds of
specialised code. Neither function allocates; what they return is made by CPython's own constructors.

The block of a callable (8-byte words):

    0 kernel   1 the frame that calls start from   2 its number of words   3 fallback   4 on_fault   5 finish
    6 kind of the result: 0 None, 1 a float, 2 a tuple of floats, 3 whatever `finish(frame)` returns,
      4 a pair of (a tuple of floats, or None for no floats) and the float that stands before them
    7 frame word of the first result (kinds 1, 2, 4)   8 number of floats (kinds 2, 4)   9 number of entries
    10 pace   11 ... entries

All but `pace` is only read: any number of threads may be inside. `pace` is how many calls are made before one is timed
again, or -1 where the kernel takes so long that it runs without the GIL, so that other threads can go on. Each call has
a frame on its stack, a copy of the one that the block names, and takes a workspace from the pool of all calls (a list
of nodes: next, first byte, end) until its results are read. Making a result may run other Python code, in this thread
(a collection) or another, so `on_fault` and `finish` are given the call's own frame: `on_fault(status, frame)`,
`finish(frame)`.

`fallback` is called with the untouched arguments whenever anything is not exactly as expected; it decides what that
means. Entries of `bound`: array object, address of its first word in the block's frame, rank, flags that it must have.
Entries of `called`: kind (0 float or numpy.float64, 1 int, 2 bool, 3 array), first frame word, rank, dtype object,
dtype number, flags, whether the kernel writes there, bytes of an element, for a shadow its primal's first frame word,
whose shape it must have (else 0), and the class of the annotation in which it may come (0 for a shadow, which is in
that of its primal).

`poll` is what loops call that may never end (`adcore.abi.faults.POLL`). An error of a signal's handler waits in `error`
until the fault of the kernel, which leaves, is raised: one at most, since signals are handled in one thread. Who holds
the GIL lets the others have it for a moment; a thread of Python's that has let go of it takes it for as long as it
asks; one of C's is not asked.

Foreign addresses stand in `@table`, filled after loading, so that the object code can be cached and moved.
"""

from __future__ import annotations

from adcore.abi.frame import WORKSPACE_BASE, WORKSPACE_END, WORKSPACE_MARK

PACE = 10
ENTRIES = 11
BOUND_ENTRY = 4
CALLED_ENTRY = 10
MOST_ARRAYS = 32
"""More arrays than this and the call goes to the fallback: the wrapper keeps their ranges on the stack."""
MOST_ANNOTATED = 64
"""More arguments than this and annotated ones go to the fallback: the wrapper keeps what is in them on the stack."""

LONG, SHORT = 20_000, 10_000
"""Nanoseconds from which on a kernel runs without the GIL, and below which it keeps it again: taking it back costs 0.1
microseconds where nobody else wants it, and a wait of 5 milliseconds where a thread of Python has it."""
EVERY = 16
"""One call of so many is timed, which costs 40 nanoseconds."""

TABLE = (
    "PyFloat_FromDouble", "vectorcall", "PyTuple_New", "PyLong_AsLongLongAndOverflow", "PyLong_FromSize_t",
    "Py_DecRef", "PyEval_SaveThread", "PyEval_RestoreThread", "PyGILState_GetThisThreadState", "PyGILState_Ensure",
    "PyGILState_Release", "PyGILState_Check", "PyErr_CheckSignals", "PyErr_Fetch", "clock_gettime", "pool",
    "None", "True", "False", "float", "int", "float64", "ndarray",
)  # fmt: skip


def wrapper_ir(none_is_immortal: bool) -> str:
    """The module's text. Before Python 3.12 `None` is counted like any other object."""
    import string  # where the text is compiled, which is once

    loads = {name: f"load ptr, ptr getelementptr ([{len(TABLE)} x ptr], ptr @table, i64 0, i64 {k})"
             for k, name in enumerate(TABLE)}  # fmt: skip
    count_none = "" if none_is_immortal else _COUNT_NONE
    return string.Template(_TEXT).substitute(
        size=len(TABLE), most=MOST_ARRAYS, annotated=MOST_ANNOTATED, count_none=count_none,
        base=WORKSPACE_BASE, end=WORKSPACE_END, mark=WORKSPACE_MARK, long=LONG, short=SHORT, every=EVERY, **loads,
    )  # fmt: skip


_COUNT_NONE = """
  %count = load i64, ptr %none
  %counted = add i64 %count, 1
  store i64 %counted, ptr %none"""

_TEXT = """
@table = dso_local global [$size x ptr] zeroinitializer

define internal ptr @word(ptr %block, i64 %k) alwaysinline {
  %at = getelementptr i64, ptr %block, i64 %k
  %value = load ptr, ptr %at
  ret ptr %value
}

define internal i64 @number(ptr %block, i64 %k) alwaysinline {
  %at = getelementptr i64, ptr %block, i64 %k
  %value = load i64, ptr %at
  ret i64 %value
}

define internal i1 @same_words(ptr %a, ptr %b, i64 %n) alwaysinline {
entry:
  br label %head
head:
  %k = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %body, label %done
body:
  %x = call i64 @number(ptr %a, i64 %k)
  %y = call i64 @number(ptr %b, i64 %k)
  %equal = icmp eq i64 %x, %y
  %next = add i64 %k, 1
  br i1 %equal, label %head, label %done
done:
  %result = phi i1 [ true, %head ], [ false, %body ]
  ret i1 %result
}

define internal void @copy_words(ptr %to, ptr %from, i64 %n) alwaysinline {
entry:
  br label %head
head:
  %k = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %body, label %done
body:
  %x = call i64 @number(ptr %from, i64 %k)
  %at = getelementptr i64, ptr %to, i64 %k
  store i64 %x, ptr %at
  %next = add i64 %k, 1
  br label %head
done:
  ret void
}

define dso_local ptr @take() {
  %pool = $pool
  %node = load ptr, ptr %pool
  %none = icmp eq ptr %node, null
  br i1 %none, label %done, label %some
some:
  %next = load ptr, ptr %node
  store ptr %next, ptr %pool
  br label %done
done:
  ret ptr %node
}

define dso_local void @give(ptr %node) {
  %pool = $pool
  %next = load ptr, ptr %pool
  store ptr %next, ptr %node
  store ptr %node, ptr %pool
  ret void
}

define internal void @drop(ptr %object) alwaysinline {
  %decref = $Py_DecRef
  call void %decref(ptr %object)
  ret void
}

@asked = internal global i64 0
@error = dso_local global [3 x ptr] zeroinitializer

define internal i1 @no_signal() noinline {
  %signals = $PyErr_CheckSignals
  %raised = call i32 %signals()
  %quiet = icmp eq i32 %raised, 0
  br i1 %quiet, label %done, label %keep
keep:
  %fetch = $PyErr_Fetch
  %value_at = getelementptr ptr, ptr @error, i64 1
  %trace_at = getelementptr ptr, ptr @error, i64 2
  call void %fetch(ptr @error, ptr %value_at, ptr %trace_at)
  br label %done
done:
  ret i1 %quiet
}

define dso_local i64 @poll(i64 %wait) {
entry:
  %time = alloca [2 x i64]
  %holds_gil = $PyGILState_Check
  %holding = call i32 %holds_gil()
  %no_gil = icmp eq i32 %holding, 0
  br i1 %no_gil, label %whose, label %look
whose:
  %own_state = $PyGILState_GetThisThreadState
  %state = call ptr %own_state()
  %foreign = icmp eq ptr %state, null
  br i1 %foreign, label %rest, label %wait_for_it
wait_for_it:
  %ensure = $PyGILState_Ensure
  %taken = call i32 %ensure()
  %quiet_now = call i1 @no_signal()
  %release = $PyGILState_Release
  call void %release(i32 %taken)
  br i1 %quiet_now, label %clock, label %leave
look:
  %quiet = call i1 @no_signal()
  br i1 %quiet, label %others, label %leave
others:
  %save = $PyEval_SaveThread
  %own = call ptr %save()
  %restore = $PyEval_RestoreThread
  call void %restore(ptr %own)
  br label %clock
clock:
  %read_clock = $clock_gettime
  %no_clock = call i32 %read_clock(i32 1, ptr %time)
  %seconds = call i64 @number(ptr %time, i64 0)
  %rest_of_it = call i64 @number(ptr %time, i64 1)
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %rest_of_it
  %before = load i64, ptr @asked
  store i64 %now, ptr @asked
  %passed = sub i64 %now, %before
  %soon = icmp slt i64 %passed, 4000000
  %late = icmp sgt i64 %passed, 16000000
  %half = lshr i64 %wait, 1
  %twice = shl i64 %wait, 1
  %or_less = select i1 %late, i64 %half, i64 %wait
  %or_more = select i1 %soon, i64 %twice, i64 %or_less
  %at_least = call i64 @llvm.umax.i64(i64 %or_more, i64 1)
  %at_most = call i64 @llvm.umin.i64(i64 %at_least, i64 1073741824)
  ret i64 %at_most
rest:
  ret i64 %wait
leave:
  ret i64 0
}

declare i64 @llvm.umax.i64(i64, i64)
declare i64 @llvm.umin.i64(i64, i64)

define internal ptr @ask(ptr %callable, i64 %a, i64 %b, i64 %n) noinline {
entry:
  %both = alloca [2 x ptr]
  %vectorcall = $vectorcall
  %number = $PyLong_FromSize_t
  %first = call ptr %number(i64 %a)
  %no_first = icmp eq ptr %first, null
  br i1 %no_first, label %lost, label %next
next:
  %second = call ptr %number(i64 %b)
  %no_second = icmp eq ptr %second, null
  br i1 %no_second, label %half, label %go
go:
  %second_at = getelementptr ptr, ptr %both, i64 1
  store ptr %first, ptr %both
  store ptr %second, ptr %second_at
  %result = call ptr %vectorcall(ptr %callable, ptr %both, i64 %n, ptr null)
  call void @drop(ptr %second)
  call void @drop(ptr %first)
  ret ptr %result
half:
  call void @drop(ptr %first)
  br label %lost
lost:
  ret ptr null
}

define internal ptr @own_frame(ptr %block, ptr %frame, ptr %node) alwaysinline {
  %from = call ptr @word(ptr %block, i64 1)
  %size = call i64 @number(ptr %block, i64 2)
  call void @copy_words(ptr %frame, ptr %from, i64 %size)
  %base = call i64 @number(ptr %node, i64 1)
  %end = call i64 @number(ptr %node, i64 2)
  %base_at = getelementptr i64, ptr %frame, i64 $base
  %end_at = getelementptr i64, ptr %frame, i64 $end
  store i64 %base, ptr %base_at
  store i64 %end, ptr %end_at
  ret ptr %frame
}

define internal ptr @nothing() alwaysinline {
  %none = $None$count_none
  ret ptr %none
}

define internal ptr @floats(ptr %base, i64 %n) alwaysinline {
entry:
  %new_tuple = $PyTuple_New
  %tuple = call ptr %new_tuple(i64 %n)
  %no_tuple = icmp eq ptr %tuple, null
  br i1 %no_tuple, label %full, label %head
head:
  %k = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %body, label %full
body:
  %from = getelementptr double, ptr %base, i64 %k
  %y = load double, ptr %from
  %make = $PyFloat_FromDouble
  %item = call ptr %make(double %y)
  %place = add i64 %k, 3
  %to = getelementptr ptr, ptr %tuple, i64 %place
  store ptr %item, ptr %to
  %next = add i64 %k, 1
  br label %head
full:
  ret ptr %tuple
}

define internal i32 @called_and_timed(ptr %kernel, ptr %frame, ptr %pace_at, i64 %pace) noinline {
entry:
  %before = alloca [2 x i64]
  %after = alloca [2 x i64]
  %read_clock = $clock_gettime
  %long = icmp slt i64 %pace, 0
  br i1 %long, label %apart, label %here
apart:
  %save = $PyEval_SaveThread
  %state = call ptr %save()
  call i32 %read_clock(i32 1, ptr %before)
  %status_apart = call i32 %kernel(ptr %frame)
  call i32 %read_clock(i32 1, ptr %after)
  %restore = $PyEval_RestoreThread
  call void %restore(ptr %state)
  br label %judge
here:
  call i32 %read_clock(i32 1, ptr %before)
  %status_here = call i32 %kernel(ptr %frame)
  call i32 %read_clock(i32 1, ptr %after)
  br label %judge
judge:
  %status = phi i32 [ %status_apart, %apart ], [ %status_here, %here ]
  %least = phi i64 [ $short, %apart ], [ $long, %here ]
  %s0 = call i64 @number(ptr %before, i64 0)
  %n0 = call i64 @number(ptr %before, i64 1)
  %s1 = call i64 @number(ptr %after, i64 0)
  %n1 = call i64 @number(ptr %after, i64 1)
  %seconds = sub i64 %s1, %s0
  %rest = sub i64 %n1, %n0
  %whole = mul i64 %seconds, 1000000000
  %passed = add i64 %whole, %rest
  %is_long = icmp sgt i64 %passed, %least
  %next = select i1 %is_long, i64 -1, i64 $every
  store i64 %next, ptr %pace_at
  ret i32 %status
}

define internal i32 @call_kernel(ptr %block, ptr %frame) alwaysinline {
  %kernel = call ptr @word(ptr %block, i64 0)
  %pace_at = getelementptr i64, ptr %block, i64 10
  %pace = load i64, ptr %pace_at
  %short = icmp sgt i64 %pace, 0
  br i1 %short, label %quick, label %timed, !prof !0
quick:
  %less = sub i64 %pace, 1
  store i64 %less, ptr %pace_at
  %status = call i32 %kernel(ptr %frame)
  ret i32 %status
timed:
  %same = call i32 @called_and_timed(ptr %kernel, ptr %frame, ptr %pace_at, i64 %pace)
  ret i32 %same
}

define internal ptr @run(ptr %block, ptr %frame, ptr %node) alwaysinline {
  %status = call i32 @call_kernel(ptr %block, ptr %frame)
  %template = call ptr @word(ptr %block, i64 1)
  %used = call i64 @number(ptr %frame, i64 $mark)
  %used_at = getelementptr i64, ptr %template, i64 $mark
  store i64 %used, ptr %used_at
  %where = ptrtoint ptr %frame to i64
  %fine = icmp eq i32 %status, 0
  br i1 %fine, label %good, label %fault, !prof !0
fault:
  %wide = zext i32 %status to i64
  %on_fault = call ptr @word(ptr %block, i64 4)
  %raised = call ptr @ask(ptr %on_fault, i64 %wide, i64 %where, i64 2)
  call void @give(ptr %node)
  ret ptr %raised
good:
  %kind = call i64 @number(ptr %block, i64 6)
  %result_word = call i64 @number(ptr %block, i64 7)
  %result_at = getelementptr i64, ptr %frame, i64 %result_word
  %general = icmp eq i64 %kind, 3
  br i1 %general, label %other, label %plain
plain:
  call void @give(ptr %node)
  switch i64 %kind, label %lost [ i64 0, label %nothing
                                  i64 1, label %one
                                  i64 2, label %many
                                  i64 4, label %pair ]
nothing:
  %none = call ptr @nothing()
  ret ptr %none
one:
  %x = load double, ptr %result_at
  %new_float = $PyFloat_FromDouble
  %float = call ptr %new_float(double %x)
  ret ptr %float
many:
  %n = call i64 @number(ptr %block, i64 8)
  %tuple = call ptr @floats(ptr %result_at, i64 %n)
  ret ptr %tuple
pair:
  %count_of = call i64 @number(ptr %block, i64 8)
  %new_pair = $PyTuple_New
  %both = call ptr %new_pair(i64 2)
  %no_pair = icmp eq ptr %both, null
  br i1 %no_pair, label %lost, label %value
value:
  %v = load double, ptr %result_at
  %make_value = $PyFloat_FromDouble
  %value_object = call ptr %make_value(double %v)
  %second = getelementptr ptr, ptr %both, i64 4
  store ptr %value_object, ptr %second
  %first_slot = getelementptr ptr, ptr %both, i64 3
  %any = icmp ne i64 %count_of, 0
  br i1 %any, label %derivatives, label %no_derivatives
derivatives:
  %after = getelementptr double, ptr %result_at, i64 1
  %inner = call ptr @floats(ptr %after, i64 %count_of)
  store ptr %inner, ptr %first_slot
  ret ptr %both
no_derivatives:
  %nothing_at_all = call ptr @nothing()
  store ptr %nothing_at_all, ptr %first_slot
  ret ptr %both
lost:
  ret ptr null
other:
  %finish = call ptr @word(ptr %block, i64 5)
  %finished = call ptr @ask(ptr %finish, i64 %where, i64 0, i64 1)
  call void @give(ptr %node)
  ret ptr %finished
}

define internal i1 @unchanged(ptr %entry_at) alwaysinline {
entry:
  %array = call ptr @word(ptr %entry_at, i64 0)
  %words = call ptr @word(ptr %entry_at, i64 1)
  %rank = call i64 @number(ptr %entry_at, i64 2)
  %needed = call i64 @number(ptr %entry_at, i64 3)
  %data = call i64 @number(ptr %array, i64 2)
  %was = load i64, ptr %words
  %data_ok = icmp eq i64 %data, %was
  %flags = call i64 @number(ptr %array, i64 8)
  %masked = and i64 %flags, %needed
  %flags_ok = icmp eq i64 %masked, %needed
  %rank_at = getelementptr i8, ptr %array, i64 24
  %rank_now = load i32, ptr %rank_at
  %rank_wide = sext i32 %rank_now to i64
  %rank_ok = icmp eq i64 %rank_wide, %rank
  %a = and i1 %data_ok, %flags_ok
  %b = and i1 %a, %rank_ok
  br i1 %b, label %shape, label %no, !prof !0
shape:
  %dims = call ptr @word(ptr %array, i64 4)
  %dims_were = getelementptr i64, ptr %words, i64 1
  %dims_ok = call i1 @same_words(ptr %dims, ptr %dims_were, i64 %rank)
  br i1 %dims_ok, label %step, label %no, !prof !0
step:
  %strides = call ptr @word(ptr %array, i64 5)
  %strides_were = getelementptr i64, ptr %dims_were, i64 %rank
  %strides_ok = call i1 @same_words(ptr %strides, ptr %strides_were, i64 %rank)
  ret i1 %strides_ok
no:
  ret i1 false
}

define dso_local ptr @bound(ptr %self, ptr %args, i64 %nargs, ptr %names) {
entry:
  %block = call ptr @word(ptr %self, i64 3)
  %positional = and i64 %nargs, 9223372036854775807
  %no_args = icmp eq i64 %positional, 0
  %no_names = icmp eq ptr %names, null
  %plain = and i1 %no_args, %no_names
  %n = call i64 @number(ptr %block, i64 9)
  %first = getelementptr i64, ptr %block, i64 11
  br i1 %plain, label %head, label %fallback, !prof !0
head:
  %k = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %body, label %go
body:
  %offset = mul i64 %k, 4
  %entry_at = getelementptr i64, ptr %first, i64 %offset
  %ok = call i1 @unchanged(ptr %entry_at)
  %next = add i64 %k, 1
  br i1 %ok, label %head, label %fallback, !prof !0
go:
  %node = call ptr @take()
  %no_node = icmp eq ptr %node, null
  br i1 %no_node, label %fallback, label %served, !prof !1
served:
  %size = call i64 @number(ptr %block, i64 2)
  %room = alloca i64, i64 %size, align 16
  %frame = call ptr @own_frame(ptr %block, ptr %room, ptr %node)
  %result = call ptr @run(ptr %block, ptr %frame, ptr %node)
  ret ptr %result
fallback:
  %callable = call ptr @word(ptr %block, i64 3)
  %vectorcall = $vectorcall
  %general = tail call ptr %vectorcall(ptr %callable, ptr %args, i64 %nargs, ptr %names)
  ret ptr %general
}

define internal ptr @place(ptr %entry_at, ptr %frame) alwaysinline {
  %word = call i64 @number(ptr %entry_at, i64 1)
  %at = getelementptr i64, ptr %frame, i64 %word
  ret ptr %at
}

define internal i1 @take_array(ptr %entry_at, ptr %frame, ptr %object, ptr %range) alwaysinline {
entry:
  %type = call ptr @word(ptr %object, i64 1)
  %ndarray = $ndarray
  %type_ok = icmp eq ptr %type, %ndarray
  br i1 %type_ok, label %array, label %no, !prof !0
array:
  %words = call ptr @place(ptr %entry_at, ptr %frame)
  %rank = call i64 @number(ptr %entry_at, i64 2)
  %rank_at = getelementptr i8, ptr %object, i64 24
  %rank_now = load i32, ptr %rank_at
  %rank_wide = sext i32 %rank_now to i64
  %rank_ok = icmp eq i64 %rank_wide, %rank
  %flags = call i64 @number(ptr %object, i64 8)
  %needed = call i64 @number(ptr %entry_at, i64 5)
  %masked = and i64 %flags, %needed
  %flags_ok = icmp eq i64 %masked, %needed
  %a = and i1 %rank_ok, %flags_ok
  br i1 %a, label %dtype, label %no, !prof !0
dtype:
  %descr = call ptr @word(ptr %object, i64 7)
  %expected = call ptr @word(ptr %entry_at, i64 3)
  %same = icmp eq ptr %descr, %expected
  br i1 %same, label %fill, label %alike, !prof !0
alike:
  %number_at = getelementptr i8, ptr %descr, i64 28
  %number_now = load i32, ptr %number_at
  %number_wide = sext i32 %number_now to i64
  %number = call i64 @number(ptr %entry_at, i64 4)
  %number_ok = icmp eq i64 %number_wide, %number
  %order_at = getelementptr i8, ptr %descr, i64 26
  %order = load i8, ptr %order_at
  %order_ok = icmp eq i8 %order, 61
  %both = and i1 %number_ok, %order_ok
  br i1 %both, label %fill, label %no
fill:
  %data = call i64 @number(ptr %object, i64 2)
  store i64 %data, ptr %words
  %dims = call ptr @word(ptr %object, i64 4)
  %dims_to = getelementptr i64, ptr %words, i64 1
  call void @copy_words(ptr %dims_to, ptr %dims, i64 %rank)
  %strides = call ptr @word(ptr %object, i64 5)
  %strides_to = getelementptr i64, ptr %dims_to, i64 %rank
  call void @copy_words(ptr %strides_to, ptr %strides, i64 %rank)
  %item = call i64 @number(ptr %entry_at, i64 7)
  %primal_word = call i64 @number(ptr %entry_at, i64 8)
  %alone = icmp eq i64 %primal_word, 0
  br i1 %alone, label %size, label %mate
mate:
  %primal = getelementptr i64, ptr %frame, i64 %primal_word
  %primal_dims = getelementptr i64, ptr %primal, i64 1
  %fits = call i1 @same_words(ptr %dims, ptr %primal_dims, i64 %rank)
  br i1 %fits, label %size, label %no, !prof !0
size:
  br label %size_head
size_head:
  %k = phi i64 [ 0, %size ], [ %k_next, %size_body ]
  %bytes = phi i64 [ %item, %size ], [ %bytes_next, %size_body ]
  %more = icmp slt i64 %k, %rank
  br i1 %more, label %size_body, label %done
size_body:
  %n = call i64 @number(ptr %dims, i64 %k)
  %bytes_next = mul i64 %bytes, %n
  %k_next = add i64 %k, 1
  br label %size_head
done:
  %end = add i64 %data, %bytes
  store i64 %data, ptr %range
  %end_at = getelementptr i64, ptr %range, i64 1
  store i64 %end, ptr %end_at
  %written = call i64 @number(ptr %entry_at, i64 6)
  %written_at = getelementptr i64, ptr %range, i64 2
  store i64 %written, ptr %written_at
  ret i1 true
no:
  ret i1 false
}

define internal i1 @take_scalar(ptr %entry_at, ptr %frame, i64 %kind, ptr %object, ptr %overflow) alwaysinline {
entry:
  %word_at = call ptr @place(ptr %entry_at, ptr %frame)
  %type = call ptr @word(ptr %object, i64 1)
  switch i64 %kind, label %no [ i64 0, label %python_float
                                i64 1, label %integer
                                i64 2, label %truth ]
python_float:
  %float = $float
  %is_float = icmp eq ptr %type, %float
  br i1 %is_float, label %payload, label %numpy_float, !prof !0
numpy_float:
  %float64 = $float64
  %is_float64 = icmp eq ptr %type, %float64
  br i1 %is_float64, label %payload, label %no, !prof !0
payload:
  %x = call i64 @number(ptr %object, i64 2)
  store i64 %x, ptr %word_at
  ret i1 true
integer:
  %int = $int
  %is_int = icmp eq ptr %type, %int
  br i1 %is_int, label %convert, label %no, !prof !0
convert:
  %as_long = $PyLong_AsLongLongAndOverflow
  %i = call i64 %as_long(ptr %object, ptr %overflow)
  store i64 %i, ptr %word_at
  %over = load i32, ptr %overflow
  %fits = icmp eq i32 %over, 0
  ret i1 %fits
truth:
  %true = $True
  %false = $False
  %is_true = icmp eq ptr %object, %true
  %is_false = icmp eq ptr %object, %false
  %is_bool = or i1 %is_true, %is_false
  %bit = zext i1 %is_true to i64
  store i64 %bit, ptr %word_at
  ret i1 %is_bool
no:
  ret i1 false
}

define internal i1 @disjoint(ptr %ranges, i64 %n) alwaysinline {
entry:
  br label %outer
outer:
  %i = phi i64 [ 1, %entry ], [ %i_next, %outer_next ]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %first, label %yes
first:
  %i_offset = mul i64 %i, 3
  %a = getelementptr i64, ptr %ranges, i64 %i_offset
  %a_low = call i64 @number(ptr %a, i64 0)
  %a_high = call i64 @number(ptr %a, i64 1)
  %a_written = call i64 @number(ptr %a, i64 2)
  br label %inner
inner:
  %j = phi i64 [ 0, %first ], [ %j_next, %inner_next ]
  %before = icmp slt i64 %j, %i
  br i1 %before, label %pair, label %outer_next
pair:
  %j_offset = mul i64 %j, 3
  %b = getelementptr i64, ptr %ranges, i64 %j_offset
  %b_low = call i64 @number(ptr %b, i64 0)
  %b_high = call i64 @number(ptr %b, i64 1)
  %b_written = call i64 @number(ptr %b, i64 2)
  %written = or i64 %a_written, %b_written
  %matters = icmp ne i64 %written, 0
  %c = icmp ult i64 %a_low, %b_high
  %d = icmp ult i64 %b_low, %a_high
  %meet = and i1 %c, %d
  %bad = and i1 %meet, %matters
  br i1 %bad, label %no, label %inner_next
inner_next:
  %j_next = add i64 %j, 1
  br label %inner
outer_next:
  %i_next = add i64 %i, 1
  br label %outer
yes:
  ret i1 true
no:
  ret i1 false
}

define internal i1 @opened(ptr %block, ptr %args, i64 %count, ptr %flat) noinline {
entry:
  %n = call i64 @number(ptr %block, i64 9)
  %first = getelementptr i64, ptr %block, i64 11
  %fits = icmp ule i64 %n, $annotated
  br i1 %fits, label %head, label %no
head:
  %i = phi i64 [ 0, %entry ], [ %i_next, %plain ], [ %i_next, %value ], [ %i_next, %shadow ]
  %j = phi i64 [ 0, %entry ], [ %j_next, %plain ], [ %j_next, %value ], [ %j_both, %shadow ]
  %more = icmp slt i64 %i, %count
  %room = icmp slt i64 %j, %n
  %both = and i1 %more, %room
  br i1 %both, label %body, label %done
body:
  %object = call ptr @word(ptr %args, i64 %i)
  %offset = mul i64 %j, 10
  %entry_at = getelementptr i64, ptr %first, i64 %offset
  %wanted = call ptr @word(ptr %entry_at, i64 9)
  %type = call ptr @word(ptr %object, i64 1)
  %annotated = icmp eq ptr %type, %wanted
  %to = getelementptr ptr, ptr %flat, i64 %j
  %i_next = add i64 %i, 1
  %j_next = add i64 %j, 1
  br i1 %annotated, label %open, label %plain
plain:
  store ptr %object, ptr %to
  br label %head
open:
  %inner = call ptr @word(ptr %object, i64 2)
  store ptr %inner, ptr %to
  %empty = icmp eq ptr %inner, null
  br i1 %empty, label %no, label %after
after:
  %last = icmp sge i64 %j_next, %n
  br i1 %last, label %value, label %behind
value:
  br label %head
behind:
  %next_at = getelementptr i64, ptr %entry_at, i64 10
  %next_wanted = call ptr @word(ptr %next_at, i64 9)
  %is_shadow = icmp eq ptr %next_wanted, null
  br i1 %is_shadow, label %look, label %value
look:
  %own = call ptr @word(ptr %object, i64 3)
  %to_own = getelementptr ptr, ptr %flat, i64 %j_next
  store ptr %own, ptr %to_own
  %j_both = add i64 %j, 2
  %no_own = icmp eq ptr %own, null
  br i1 %no_own, label %no, label %shadow
shadow:
  br label %head
done:
  %all = icmp eq i64 %i, %count
  %filled = icmp eq i64 %j, %n
  %result = and i1 %all, %filled
  ret i1 %result
no:
  ret i1 false
}

define internal i1 @taken(ptr %block, ptr %frame, ptr %args, i64 %n) {
entry:
  %ranges = alloca [$most x [3 x i64]]
  %overflow = alloca i32
  %first = getelementptr i64, ptr %block, i64 11
  br label %head
head:
  %k = phi i64 [ 0, %entry ], [ %k_array, %array_taken ], [ %k_scalar, %scalar ]
  %arrays = phi i64 [ 0, %entry ], [ %arrays_next, %array_taken ], [ %arrays, %scalar ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %body, label %compare
body:
  %offset = mul i64 %k, 10
  %entry_at = getelementptr i64, ptr %first, i64 %offset
  %object = call ptr @word(ptr %args, i64 %k)
  %kind = call i64 @number(ptr %entry_at, i64 0)
  %is_array = icmp eq i64 %kind, 3
  br i1 %is_array, label %array, label %scalar
array:
  %range_offset = mul i64 %arrays, 3
  %range = getelementptr i64, ptr %ranges, i64 %range_offset
  %array_ok = call i1 @take_array(ptr %entry_at, ptr %frame, ptr %object, ptr %range)
  %arrays_next = add i64 %arrays, 1
  %k_array = add i64 %k, 1
  br i1 %array_ok, label %array_taken, label %no, !prof !0
array_taken:
  br label %head
scalar:
  %scalar_ok = call i1 @take_scalar(ptr %entry_at, ptr %frame, i64 %kind, ptr %object, ptr %overflow)
  %k_scalar = add i64 %k, 1
  br i1 %scalar_ok, label %head, label %no, !prof !0
compare:
  %apart = call i1 @disjoint(ptr %ranges, i64 %arrays)
  ret i1 %apart
no:
  ret i1 false
}

define dso_local ptr @called(ptr %self, ptr %args, i64 %nargs, ptr %names) {
entry:
  %flat = alloca [$annotated x ptr]
  %block = call ptr @word(ptr %self, i64 3)
  %positional = and i64 %nargs, 9223372036854775807
  %n = call i64 @number(ptr %block, i64 9)
  %enough = icmp eq i64 %positional, %n
  %no_names = icmp eq ptr %names, null
  br i1 %no_names, label %start, label %fallback, !prof !0
start:
  %node = call ptr @take()
  %no_node = icmp eq ptr %node, null
  br i1 %no_node, label %fallback, label %begin, !prof !1
begin:
  %size = call i64 @number(ptr %block, i64 2)
  %room = alloca i64, i64 %size, align 16
  %frame = call ptr @own_frame(ptr %block, ptr %room, ptr %node)
  br i1 %enough, label %plain, label %annotated, !prof !0
plain:
  %taken = call i1 @taken(ptr %block, ptr %frame, ptr %args, i64 %n)
  br i1 %taken, label %go, label %annotated, !prof !0
annotated:
  %opened = call i1 @opened(ptr %block, ptr %args, i64 %positional, ptr %flat)
  br i1 %opened, label %inside, label %unfit
inside:
  %taken_inside = call i1 @taken(ptr %block, ptr %frame, ptr %flat, i64 %n)
  br i1 %taken_inside, label %go, label %unfit
go:
  %result = call ptr @run(ptr %block, ptr %frame, ptr %node)
  ret ptr %result
unfit:
  call void @give(ptr %node)
  br label %fallback
fallback:
  %callable = call ptr @word(ptr %block, i64 3)
  %vectorcall = $vectorcall
  %general = tail call ptr %vectorcall(ptr %callable, ptr %args, i64 %nargs, ptr %names)
  ret ptr %general
}

!0 = !{!"branch_weights", i32 2000, i32 1}
!1 = !{!"branch_weights", i32 1, i32 2000}
"""
