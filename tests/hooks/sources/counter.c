/* The reference: an LD_PRELOAD library that counts entries of the allocator, written without regard to the hooks under test. */
#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <string.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t), *__libc_valloc(size_t), *__libc_pvalloc(size_t);

enum { MALLOC, CALLOC, REALLOC, POSIX_MEMALIGN, ALIGNED_ALLOC, MEMALIGN, VALLOC, PVALLOC, KINDS };
static long counts[KINDS], of_the_loader[KINDS];
static int watching;
/* The dynamic loader's own requests (a thread's storage at its first use) have no slot: they are counted apart. */
static char *loader_start, *loader_end;
static int of_loader(const void *caller) { return (char *)caller >= loader_start && (char *)caller < loader_end; }
static int find_loader(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (!strstr(info->dlpi_name, "/ld-linux")) return 0;
    loader_start = (char *)info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        char *end = loader_start + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && end > loader_end) loader_end = end;
    }
    return 1;
}
/* Threads allocate at the same time. */
#define COUNT(kind) \
    __atomic_fetch_add(&(of_loader(__builtin_return_address(0)) ? of_the_loader : counts)[kind], watching, __ATOMIC_RELAXED)

void *malloc(size_t n) { COUNT(MALLOC); return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { COUNT(CALLOC); return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { COUNT(REALLOC); return __libc_realloc(p, n); }
void *aligned_alloc(size_t a, size_t n) { COUNT(ALIGNED_ALLOC); return __libc_memalign(a, n); }
void *memalign(size_t a, size_t n) { COUNT(MEMALIGN); return __libc_memalign(a, n); }
void *valloc(size_t n) { COUNT(VALLOC); return __libc_valloc(n); }
void *pvalloc(size_t n) { COUNT(PVALLOC); return __libc_pvalloc(n); }
int posix_memalign(void **out, size_t a, size_t n) {
    COUNT(POSIX_MEMALIGN);
    *out = __libc_memalign(a, n);
    return *out ? 0 : ENOMEM;
}

void counter_watch(int on) {
    if (on) {
        dl_iterate_phdr(find_loader, 0);
        for (int i = 0; i < KINDS; i++) counts[i] = of_the_loader[i] = 0;
    }
    watching = on;
}
long counter_read(int kind) { return counts[kind]; }
long counter_read_loader(int kind) { return of_the_loader[kind]; }
