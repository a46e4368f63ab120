"""Where the native code keeps what it counts: word offsets into one block of memory that Python reads and the hooks
write.

All offsets are in 64-bit words. Counters only ever grow while a window is open, so nested windows subtract what they
found.
"""

from __future__ import annotations

ARMED = 0  # 0: idle; a thread pointer: that thread is counted; EVERY_THREAD: all are
NOTING = 1  # how many threads are inside ``note``: until they have left, no window of another scope may open
ALLOCATIONS = 2  # allocations by native code
BYTES = 3  # bytes that these asked for
SPILLED = 4  # events that found the table of sites full
INTERPRETER_RANGES = 5  # how many address ranges are in use
THROUGH_RANGES = 6
CANARIES = 7  # how many canaries asked for memory
DOMAINS = 8  # per Python domain: calls, bytes, frees
DOMAIN_WORDS = 3
DOMAIN_COUNT = 4
USED = (
    20  # how many sites are in use; their addresses are in the list behind the sites, so that nobody searches for them
)
BASE = 21  # the address of this block
FIRST = 22  # whether somebody wants to know the first allocation in detail, and whether it is known
FIRST_ENTRY, FIRST_BYTES, FIRST_CALLER, FIRST_COUNT = 23, 24, 25, 26  # what asked for how much, and so many frames
FREE_MARK = 27  # by which the patched ``free`` knows a call that is announced
UNWINDING = 48  # thread pointers of the threads inside backtrace(), whose own allocations are not counted
UNWINDERS = 16  # at once; a site that is new while all are taken gets no backtrace
RANGES = 64  # interpreter: pairs of start and end
INTERPRETER_CAPACITY = 224
THROUGH = RANGES + 2 * INTERPRETER_CAPACITY
THROUGH_CAPACITY = 32
SITES = 1024
SITE_COUNT = 2048  # a power of two
SITE_WORDS = 25
OVERFLOW = SITES + SITE_COUNT * SITE_WORDS
OVERFLOW_ENTRIES = 32  # of what does not fit, one site for each class and entry: functions are never mixed
OVERFLOW_COUNT = 2 * OVERFLOW_ENTRIES  # native code, then the interpreter
USED_LIST = OVERFLOW + OVERFLOW_COUNT * SITE_WORDS
FIRST_FRAMES = USED_LIST + SITE_COUNT
FIRST_CAPACITY = 48
# Calls of other threads: a row belongs to one thread, which alone adds to it. First its owner, then counts by entry.
OTHER_ROWS = -(-(FIRST_FRAMES + FIRST_CAPACITY) // 16) * 16
ROW_BITS = 6
ROW_WORDS = 32
OTHERS = OTHER_ROWS + (ROW_WORDS << ROW_BITS)  # of those that found their row taken, by entry number
# Patched functions. A place is one function in one library; its counters are in three columns.
PLACE_COUNT = 128
PASSED = OTHERS + 32  # calls that a hook announced
HIDDEN = PASSED + PLACE_COUNT  # calls of native code that nobody announced: through a pointer past the slots
INNER = HIDDEN + PLACE_COUNT  # calls that the allocator makes on its own account
PLACES = INNER + PLACE_COUNT
PLACE_ENTRY, PLACE_RULE, PLACE_FLAGS, PLACE_OWNER, PLACE_WORDS = range(5)
MAPPING, RELEASING, OF_SYSTEM_CALLS = 1, 2, 4  # flags
ALLOCATORS = PLACES + PLACE_COUNT * PLACE_WORDS  # how many ranges, then pairs of start and end: code that owns places
STRANGERS = ALLOCATORS + 64  # ... that owns places, and whose own calls no slot announces
TOOLS = STRANGERS + 64  # ... of profilers whose hooks are called by ours
PATCHED_RANGES = 31
LAST = TOOLS + 64  # the call of a patched function before this one, on the watched thread
LAST_THREAD, LAST_PLACE, LAST_SLOT, LAST_RETURN, LAST_FIRST, LAST_SECOND, LAST_SIZE, LAST_WORDS = range(8)
LAST_ROWS = LAST + LAST_WORDS  # ... in windows of all threads, by a hash of the thread
# System calls by number, those from inside of the C library and the others; the last counter has what is beyond.
SYSTEM_COUNT = 512
SELECTOR = LAST_ROWS + (LAST_WORDS << ROW_BITS)
SYSTEM_LOW, SYSTEM_HIGH, SYSTEM_STOPPED, SYSTEM_REFUSED = range(SELECTOR + 1, SELECTOR + 5)
SYSTEM_CALLS = SELECTOR + 8
RAW_CALLS = SYSTEM_CALLS + SYSTEM_COUNT
USAGE = RAW_CALLS + SYSTEM_COUNT  # the thread's use of the system before, and behind it after
USAGE_WORDS, SMALL_FAULTS, LARGE_FAULTS = 18, 8, 9
WORDS = USAGE + 2 * USAGE_WORDS

MARK = 0xA511_0000 - 2**32  # plus the number of a place: what no address is
PASSED_ON = MARK + 0xFFFF  # for a function that is not patched and may go on to malloc

EVERY_THREAD = 2**64 - 1

# A site.
KEY, RESPONSIBLE, ENTRY, CLASS, COUNT, SITE_BYTES, FRAME_COUNT, CALLER, PAST_SLOTS, FRAMES = range(10)
FRAME_CAPACITY = SITE_WORDS - FRAMES

# States of FIRST. A canary is nobody's first allocation: while it is out, the question is withdrawn.
NOT_WANTED, WANTED, IN_PROGRESS, KNOWN, WITHDRAWN = range(5)

# Who allocates. Through: a library such as libc that allocates on behalf of its caller.
NATIVE, INTERPRETER, PASSED_THROUGH = 1, 2, 3

# What the native code calls, always through pointers, so that the object has no undefined symbol to resolve.
LIBC = ("backtrace", "strdup", "free", "ioctl", "memcpy")

# The plan of a window: what to call and where to leave the results.
PLAN = (
    "kernel",  # int32 kernel(frame)
    "frame",
    "calls",
    "restores",  # how many triples (destination, source, bytes) are copied before each call
    "restore_table",
    "counts",  # 0: do not count, as in a warm-up
    "bytes",
    "canary",  # a C string
    "canary_size",  # its bytes with the final zero
    "owner",  # 0: the calling thread
    "events",  # how many file descriptors of hardware breakpoints
    "event_table",
    "mirror",  # armed word of the preloaded library, or 0
    "domains_before",  # copies of the counters of Python's domains, taken at both ends of the window
    "domains_after",
    "status",
    "done",
    "first_canary_calls",
    "first_canary_bytes",
    "last_canary_calls",
    "last_canary_bytes",
    "armed_before",
)
SLOT_OF_PLAN = {name: number for number, name in enumerate(PLAN)}

DOMAIN_NAMES = ("raw", "mem", "obj", "numpy")
DOMAIN_CALLS = ("malloc", "calloc", "realloc", "free")

# What the kernel of a Python callable returns where the callable gave a body that has not run, and how many types of
# results say so: coroutines, generators, asynchronous generators.
SUSPENDED, SUSPENDED_TYPES = 2, 3
