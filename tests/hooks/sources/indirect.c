/* A malloc to preload whose names are indirect functions. Its blocks begin with a header: libc's free would crash. */
#include <stddef.h>
#define HEADER 64
#define INDIRECT(name, target) \
    static void *resolve_##name(void) { return target; } \
    void *name() __attribute__((ifunc("resolve_" #name)));

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
static long served;

long indirect_served(void) { return served; }

static void *behind(char *block) { return block ? block + HEADER : NULL; }
static void *own_malloc(size_t size) { served++; return behind(__libc_malloc(size + HEADER)); }
static void *own_calloc(size_t count, size_t size) { return behind(__libc_calloc(1, count * size + HEADER)); }
static void own_free(void *p) { if (p) __libc_free((char *)p - HEADER); }
static void *own_realloc(void *p, size_t size) {
    return behind(__libc_realloc(p ? (char *)p - HEADER : NULL, size + HEADER));
}
static void *own_aligned(size_t alignment, size_t size) { return alignment > HEADER ? NULL : own_malloc(size); }
static int own_posix(void **out, size_t alignment, size_t size) { return !(*out = own_aligned(alignment, size)) * 12; }

INDIRECT(malloc, own_malloc)
INDIRECT(calloc, own_calloc)
INDIRECT(realloc, own_realloc)
INDIRECT(free, own_free)
INDIRECT(aligned_alloc, own_aligned)
INDIRECT(memalign, own_aligned)
INDIRECT(posix_memalign, own_posix)
