// Operators of C++, as an allocator may bring its own.
#include <cstddef>
#include <new>
#include <stdexcept>

static int *volatile kept;
static char *volatile block;

extern "C" int takes_one(void *) {
    kept = new int(3);
    delete kept;
    return 0;
}

extern "C" int takes_many_forms(void *) {
    kept = new int[5];
    delete[] kept;
    kept = new (std::nothrow) int(7);
    delete kept;
    struct alignas(64) Wide { char content[64]; };
    Wide *volatile wide = new Wide;
    delete wide;
    return 0;
}

// How many of so many requests for more than there is ended in an exception that was caught.
extern "C" long caught(long times) {
    volatile std::size_t impossible = std::size_t(-1) / 4;
    long number = 0;
    for (long i = 0; i < times; i++) {
        try {
            block = static_cast<char *>(::operator new(impossible));
        } catch (const std::bad_alloc &) {
            number++;
        }
    }
    return number;
}
