/* One function per way to get memory from the C library. Each is a kernel, int f(void *), and gives back what it took. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <netdb.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL(name) int name(void *frame)
#define UNUSED (void)frame
static void *volatile sink;
extern void *__libc_malloc(size_t);

KERNEL(p_nothing) { UNUSED; return 0; }
KERNEL(p_malloc) { UNUSED; sink = malloc(100); free(sink); return 0; }
KERNEL(p_calloc) { UNUSED; sink = calloc(3, 50); free(sink); return 0; }
KERNEL(p_realloc) { UNUSED; sink = malloc(10); sink = realloc(sink, 5000); free(sink); return 0; }
KERNEL(p_realloc_null) { UNUSED; sink = realloc(NULL, 70); free(sink); return 0; }
KERNEL(p_posix_memalign) { void *p; UNUSED; if (posix_memalign(&p, 64, 300)) return 1; sink = p; free(sink); return 0; }
KERNEL(p_aligned_alloc) { UNUSED; sink = aligned_alloc(64, 256); free(sink); return 0; }
KERNEL(p_memalign) { UNUSED; sink = memalign(128, 77); free(sink); return 0; }
KERNEL(p_valloc) { UNUSED; sink = valloc(100); free(sink); return 0; }
KERNEL(p_pvalloc) { UNUSED; sink = pvalloc(100); free(sink); return 0; }
KERNEL(p_strdup) { UNUSED; sink = strdup("a string"); free(sink); return 0; }
KERNEL(p_asprintf) { char *s; UNUSED; if (asprintf(&s, "%d %s", 42, "x") < 0) return 1; sink = s; free(sink); return 0; }
KERNEL(p_fopen) { FILE *f = fopen("/dev/null", "r"); UNUSED; if (!f) return 1; fclose(f); return 0; }
KERNEL(p_getline) {
    char text[] = "one line\n", *line = NULL;
    size_t size = 0;
    FILE *f = fmemopen(text, sizeof text, "r");
    UNUSED;
    if (!f || getline(&line, &size, f) < 0) return 1;
    free(line);
    fclose(f);
    return 0;
}
KERNEL(p_memstream) {
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    UNUSED;
    if (!f) return 1;
    fputs("hello", f);
    fclose(f);
    free(text);
    return 0;
}
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
KERNEL(p_qsort) {
    static int numbers[4096];
    UNUSED;
    for (int i = 0; i < 4096; i++) numbers[i] = (i * 7919) % 4096;
    qsort(numbers, 4096, sizeof *numbers, compare);
    return 0;
}
KERNEL(p_regcomp) { regex_t r; UNUSED; if (regcomp(&r, "a(b|c)*d", REG_EXTENDED)) return 1; regfree(&r); return 0; }
KERNEL(p_getaddrinfo) {
    struct addrinfo hint = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;
    UNUSED;
    if (getaddrinfo("127.0.0.1", "80", &hint, &found)) return 1;
    freeaddrinfo(found);
    return 0;
}
static void *(*volatile table[])(size_t) = {malloc};
KERNEL(p_static_table) { UNUSED; sink = table[0](55); free(sink); return 0; }
KERNEL(p_large) { UNUSED; sink = malloc(64 << 20); free(sink); return 0; }
KERNEL(p_mmap) {
    void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    UNUSED;
    if (p == MAP_FAILED) return 1;
    p = mremap(p, 8192, 16384, MREMAP_MAYMOVE);
    munmap(p, 16384);
    return 0;
}

/* Paths that relocation slots cannot see. */
KERNEL(h_cached) {
    static void *(*cached)(size_t);
    UNUSED;
    if (!cached) cached = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc");
    sink = cached(33);
    free(sink);
    return 0;
}
KERNEL(h_libc_malloc) { UNUSED; sink = __libc_malloc(44); free(sink); return 0; }
KERNEL(h_loader) { UNUSED; (void)dlopen("/no/such/library.so", RTLD_NOW); return dlerror() ? 0 : 1; }
KERNEL(h_syscall_mmap) {
    void *p = (void *)syscall(SYS_mmap, NULL, 8192L, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    UNUSED;
    if (p == MAP_FAILED) return 1;
    return syscall(SYS_munmap, p, 8192L) != 0;
}
/* Without the C library: no function of it is entered. */
#ifdef __x86_64__
static long raw(long number, long first, long second, long third, long fourth, long fifth, long sixth) {
    register long r10 __asm__("r10") = fourth;
    register long r8 __asm__("r8") = fifth;
    register long r9 __asm__("r9") = sixth;
    long result;
    __asm__ volatile("syscall" : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#else
#define raw(...) syscall(__VA_ARGS__)
#endif
KERNEL(h_raw_mmap) {
    long p = raw(SYS_mmap, 0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    UNUSED;
    if (p < 0 && p > -4096) return 1;
    return raw(SYS_munmap, p, 8192, 0, 0, 0, 0) != 0;
}

/* Patterns over the calls; the frame is a counter. */
KERNEL(s_first_only) { int n = (*(int *)frame)++; if (n == 0) { sink = malloc(8); free(sink); } return 0; }
KERNEL(s_growing) { int n = (*(int *)frame)++; for (int i = 0; i < n; i++) { sink = malloc(8); free(sink); } return 0; }
KERNEL(s_irregular) { int n = (*(int *)frame)++; if (n % 3 == 1) { sink = malloc(8); free(sink); } return 0; }
KERNEL(s_fails_third) { int n = (*(int *)frame)++; sink = malloc(8); free(sink); return n == 2 ? -7 : 0; }
KERNEL(s_leak_kib) { UNUSED; sink = malloc(1024); memset(sink, 1, 1024); return 0; }

static void *work(void *count) {
    for (long i = 0; i < (long)count; i++) { void *volatile mine = malloc(16); free(mine); }
    return NULL;
}
KERNEL(s_other_thread) {
    pthread_t t;
    UNUSED;
    if (pthread_create(&t, NULL, work, (void *)10L)) return 1;
    return pthread_join(t, NULL);
}
int s_opens_a_library(void *frame) {
    void *library = dlopen((const char *)frame, RTLD_NOW);
    if (!library) return 1;
    return dlclose(library);
}

/* For other native callers: plain functions of numbers and pointers. */
double f_axpy(double a, const double *x, int n) {
    double sum = 0, *copy = malloc(n * sizeof *copy);
    for (int i = 0; i < n; i++) sum += copy[i] = a * x[i];
    free(copy);
    return sum;
}
float f_float(float x, long n, unsigned char c) { return x + n + c; }
void f_churn(long count) { work((void *)count); }
